// What the SDK meets while Postrider itself is in trouble. The story says which by the
// argument: broken (a table is not there), away (the database is), locked (its file is, for
// those who write), back (it is there again).
import assert from 'node:assert/strict';
import { check, good, mail, nobody, refused, resend } from './story.mjs';

const once = () => resend.emails.send(mail(), { idempotencyKey: 'node-trouble' });

async function unavailable(calls) {
  for (const answer of await Promise.all(calls)) {
    refused(answer, 503, 'application_error', /repeat the request/);
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  }
}

const stages = {
  async broken() {
    const answer = await resend.templates.list();
    refused(answer, 500, 'internal_server_error', /request_id/);
    assert.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/);
  },
  async away() {
    const calls = [
      once(), resend.batch.send([mail()]), resend.emails.get(nobody), resend.emails.list(), resend.emails.cancel(nobody),
      resend.emails.attachments.list({ emailId: nobody }), resend.templates.list(), resend.templates.create({ name: 'x', html: 'x' }), resend.apiKeys.list(), resend.apiKeys.create({ name: 'x' }),
    ];
    await unavailable(calls);
  },
  async locked() {
    await unavailable([once(), resend.batch.send([mail()]), resend.templates.create({ name: 'x', html: 'x' }), resend.apiKeys.create({ name: 'x' })]);
    good(await resend.emails.list());
  },
  async back() {
    assert.equal(good(await once()).id, good(await once()).id);
  },
};

await check(process.argv[2], stages[process.argv[2]]);
console.log(JSON.stringify({ done: true }));
