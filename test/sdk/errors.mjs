// The errors that no single call brings about: of the body as a whole, of what stands
// beside it, and of two requests at once.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { check, good, mail, refused, resend } from './story.mjs';

await check('a body that is too large', async () => {
  refused(await resend.emails.send(mail({ text: 'x'.repeat(62 << 20) })), 413, 'validation_error', /at most \d+ bytes/);
  refused(await resend.batch.send([mail({ text: 'x'.repeat(76 << 20) })]), 413, 'validation_error', /at most \d+ bytes/);
});

await check('a body that is not said to be JSON', async () => {
  const other = (headers) => resend.emails.send(mail(), { headers });
  refused(await other({ 'Content-Type': 'text/plain' }), 415, 'validation_error', /application\/json/);
  refused(await other({ 'Content-Encoding': 'gzip' }), 415, 'validation_error', /Content-Encoding/);
});

// Other faults of JSON the SDK cannot make, and it cannot be slow (408): it sends a body
// that it has whole.
await check('a body that is nested too deeply', async () => {
  const deep = JSON.parse('['.repeat(17) + ']'.repeat(17));
  refused(await resend.emails.send(mail({ tags: deep })), 400, 'validation_error', /nested deeper/);
  refused(await resend.batch.send([mail({ tags: deep })]), 400, 'validation_error', /nested deeper/);
});

await check('a path that is not there, and a method that is not', async () => {
  refused(await resend.get('/nowhere'), 404, 'not_found', /nothing at this path/);
  refused(await resend.put('/emails', {}), 405, 'method_not_allowed', /GET/);
});

// Both are in the midst of it at the same moment: each waits for a file that is handed
// out when both have asked for it.
await check('two requests at once with one idempotency key', async () => {
  const idempotencyKey = randomUUID();
  const email = mail({ attachments: [{ path: `${process.env.POSTRIDER_STORY_FILES}/both/${idempotencyKey}`, filename: 'both.txt' }] });
  const answers = await Promise.all([1, 2].map(() => resend.emails.send(email, { idempotencyKey })));
  const [first, second] = answers.map(good);
  assert.equal(first.id, second.id);
  assert.deepEqual(answers.map((a) => a.headers['idempotency-replayed'] ?? 'no').sort(), ['no', 'true']);
  refused(await resend.emails.send(mail(), { idempotencyKey }), 409, 'invalid_idempotent_request', /Idempotency-Key/);
});

// Four messages of a tenant have their files fetched at once. A file is handed out when
// two have asked for it, of whom the second is this check.
await check('more files at once than are fetched', async () => {
  const paths = Array.from({ length: 5 }, () => `${process.env.POSTRIDER_STORY_FILES}/both/${randomUUID()}`);
  const sends = paths.map((path) => resend.emails.send(mail({ attachments: [{ path }] })));
  const refusal = await Promise.race(sends);
  refused(refusal, 503, 'application_error', /too many files/);
  assert.match(refusal.headers['retry-after'], /^[1-9]\d*$/);
  const end = new AbortController();
  for (const path of paths) fetch(path, { signal: end.signal }).catch(() => {});
  const answers = await Promise.all(sends);
  end.abort();
  for (const answer of answers.filter((a) => a !== refusal)) good(answer);
});
