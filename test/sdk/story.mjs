// What the files with calls share: the client, as an application makes it, and what
// holds an answer of its against what the types of the SDK promise.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Resend } from 'resend';

export const url = process.env.POSTRIDER_STORY_URL; // ends in /v1
const key = process.env.POSTRIDER_STORY_KEY;
export const resend = new Resend(key, { baseUrl: url });

// What the types of the SDK promise.
export const lastEvents = ['bounced', 'canceled', 'clicked', 'complained', 'delivered', 'delivery_delayed', 'failed', 'opened', 'queued', 'scheduled', 'sent', 'suppressed'];
const types = readFileSync(new URL('node_modules/resend/dist/index.d.mts', import.meta.url), 'utf8');
export const errorNames = types.match(/type RESEND_ERROR_CODE_KEY = ([^;]+);/)[1].match(/\w+/g);
export const met = new Set(); // of errorNames

export async function check(name, body) {
  let error;
  try {
    await body();
  } catch (e) {
    error = `${e.message}\n${e.stack}`;
  }
  console.log(JSON.stringify({ name, error }));
}

export function good(answer) {
  assert.equal(answer.error, null);
  assert.ok(answer.headers, 'headers are there');
  return answer.data;
}

export function refused(answer, statusCode, name, says) {
  assert.equal(answer.data, null);
  assert.equal(answer.error.statusCode, statusCode, JSON.stringify(answer.error));
  assert.equal(answer.error.name, name);
  if (statusCode !== 501) assert.ok(errorNames.includes(answer.error.name), answer.error.name);
  met.add(name);
  assert.match(answer.error.message, says);
}

export function isID(id) {
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
}

export function isTime(text) {
  assert.equal(typeof text, 'string');
  assert.ok(!Number.isNaN(new Date(text).getTime()), text);
}

export const mail = (more) => ({ from: 'Shop <shop@sender.example>', to: 'ann@example.com', subject: 'A story', text: 'Once.', ...more });
export const inAnHour = () => new Date(Date.now() + 3600e3).toISOString();
export const nobody = '01a1fa7c-7466-7261-9831-867e93c889df';

export async function until(id, event) {
  for (const end = Date.now() + 180e3; ; await new Promise((r) => setTimeout(r, 50))) {
    const email = good(await resend.emails.get(id));
    if (email.last_event === event) return email;
    assert.ok(Date.now() < end, `still ${email.last_event}, not ${event}`);
  }
}
