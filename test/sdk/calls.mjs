// Every call of the emails and batch resources of Resend's SDK for Node, and every
// error it can meet there, against the Postrider that POSTRIDER_STORY_URL names. What
// concerns templates, apiKeys and all calls together is in files of its own. Each check
// is one line of JSON on standard output: its name, and what was wrong.
import assert from 'node:assert/strict';
import { Resend } from 'resend';
import { check, good, inAnHour, isID, isTime, lastEvents, mail, nobody, refused, resend, until, url } from './story.mjs';

// isEmail holds an email against GetEmailResponseSuccess, or ListEmail.
function isEmail(email, inList) {
  isID(email.id);
  assert.equal(typeof email.from, 'string');
  assert.equal(typeof email.subject, 'string');
  assert.match(email.message_id, /^<[^<>@]+@sender\.example>$/);
  assert.ok(lastEvents.includes(email.last_event), email.last_event);
  isTime(email.created_at);
  for (const field of ['to', 'cc', 'bcc', 'reply_to']) assert.ok(Array.isArray(email[field]), field);
  if (email.scheduled_at !== null) isTime(email.scheduled_at);
  if (inList) return;
  assert.equal(email.object, 'email');
  for (const field of ['html', 'text']) assert.ok(email[field] === null || typeof email[field] === 'string', field);
  assert.ok(Array.isArray(email.tags));
}

const picture = Buffer.from('iVBORw0KGgo=', 'base64');
let rich; // the id of an email with everything

await check('emails.send: everything at once', async () => {
  rich = good(await resend.emails.send({
    from: 'Shöp <shop@sender.example>', to: ['ann@example.com', 'Bob <bob@example.com>'], cc: 'carol@example.com', bcc: ['dan@example.com'],
    replyTo: ['help@sender.example', 'desk@sender.example'], subject: 'Grüße', html: '<img src="cid:logo">', text: 'Grüße',
    headers: { 'X-Campaign': 'spring' }, tags: [{ name: 'kind', value: 'story' }],
    attachments: [
      { filename: 'logo.png', content: picture, contentType: 'image/png', contentId: 'logo' },
      { filename: 'Rechnung über 5 €.txt', content: Buffer.from('42 EUR').toString('base64') },
      { filename: 'bytes.bin', content: new Uint8Array([0, 1, 255]) },
    ],
  })).id;
  isID(rich);
});

await check('emails.get: what was sent, as the types promise', async () => {
  const email = await until(rich, 'sent');
  isEmail(email);
  assert.deepEqual(email.to, ['ann@example.com', 'Bob <bob@example.com>']);
  assert.deepEqual([email.cc, email.bcc], [['carol@example.com'], ['dan@example.com']]);
  assert.deepEqual(email.reply_to, ['help@sender.example', 'desk@sender.example']);
  assert.deepEqual([email.subject, email.text, email.html], ['Grüße', 'Grüße', '<img src="cid:logo">']);
  assert.deepEqual(email.tags, [{ name: 'kind', value: 'story' }]);
  assert.equal(email.scheduled_at, null);
});

await check('emails.create: is send', async () => isID(good(await resend.emails.create(mail())).id));

await check('emails.send: an idempotency key answers the same once more', async () => {
  const once = () => resend.emails.send(mail({ subject: 'once' }), { idempotencyKey: 'node-once' });
  const [first, second] = [await once(), await once()];
  assert.equal(good(first).id, good(second).id);
  assert.equal(second.headers['idempotency-replayed'], 'true');
  refused(await resend.emails.send(mail({ subject: 'other' }), { idempotencyKey: 'node-once' }), 409, 'invalid_idempotent_request', /Idempotency-Key/);
});

await check('emails.send: a key that is too long', async () => {
  refused(await resend.emails.send(mail(), { idempotencyKey: 'k'.repeat(257) }), 400, 'invalid_idempotency_key', /256/);
});

await check('emails.list: pages both ways', async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.unshift(good(await resend.emails.send(mail({ subject: `page ${i}` }))).id);
  const page = async (options, want, more) => {
    const list = good(await resend.emails.list(options));
    assert.equal(list.object, 'list');
    list.data.forEach((email) => isEmail(email, true));
    assert.deepEqual(list.data.map((email) => email.id), want);
    assert.equal(list.has_more, more);
  };
  await page({ limit: 2 }, ids.slice(0, 2), true);
  await page({ limit: 3, after: ids[1] }, ids.slice(2, 5), true);
  await page({ limit: 2, before: ids[4] }, ids.slice(2, 4), true);
  await page({ limit: 4, before: ids[3] }, ids.slice(0, 3), false);
  assert.ok(good(await resend.emails.list()).data.length >= 5);
});

await check('emails.list: bad parameters', async () => {
  refused(await resend.emails.list({ limit: 101 }), 422, 'validation_error', /limit/);
  refused(await resend.emails.list({ limit: 1, after: 'x' }), 422, 'validation_error', /after/);
  refused(await resend.emails.list({ after: rich, before: rich }), 422, 'validation_error', /before/);
});

let scheduled;

await check('emails.send: later', async () => {
  const at = inAnHour();
  scheduled = good(await resend.emails.send(mail({ scheduledAt: at }))).id;
  const email = good(await resend.emails.get(scheduled));
  isEmail(email);
  assert.equal(email.last_event, 'scheduled');
  assert.equal(new Date(email.scheduled_at).getTime(), new Date(at).getTime());
});

await check('emails.update: to another time', async () => {
  const at = new Date(Date.now() + 7200e3).toISOString();
  const moved = good(await resend.emails.update({ id: scheduled, scheduledAt: at }));
  assert.deepEqual([moved.object, moved.id], ['email', scheduled]);
  const email = good(await resend.emails.get(scheduled));
  assert.deepEqual([email.last_event, new Date(email.scheduled_at).toISOString()], ['scheduled', at]);
});

await check('emails.update: errors', async () => {
  refused(await resend.emails.update({ id: scheduled, scheduledAt: 'soon' }), 422, 'validation_error', /scheduled_at/);
  refused(await resend.emails.update({ id: scheduled }), 422, 'missing_required_field', /scheduled_at/);
  refused(await resend.emails.update({ id: rich, scheduledAt: inAnHour() }), 409, 'validation_error', /recipient/);
  refused(await resend.emails.update({ id: nobody, scheduledAt: inAnHour() }), 404, 'not_found', /no such email/);
});

await check('emails.cancel', async () => {
  const canceled = good(await resend.emails.cancel(scheduled));
  assert.deepEqual([canceled.object, canceled.id], ['email', scheduled]);
  assert.equal(good(await resend.emails.get(scheduled)).last_event, 'canceled');
});

await check('emails.cancel: errors', async () => {
  refused(await resend.emails.cancel(rich), 409, 'validation_error', /recipient/);
  refused(await resend.emails.cancel(scheduled), 409, 'validation_error', /recipient/);
  refused(await resend.emails.cancel(nobody), 404, 'not_found', /no such email/);
});

// isFile holds an attachment against AttachmentData.
function isFile(file) {
  isID(file.id);
  assert.equal(typeof file.filename, 'string');
  assert.equal(typeof file.size, 'number');
  assert.equal(typeof file.content_type, 'string');
  assert.ok(['inline', 'attachment'].includes(file.content_disposition));
  assert.ok(file.content_id === undefined || typeof file.content_id === 'string');
  isTime(file.expires_at);
  assert.ok(new Date(file.expires_at) > new Date());
  assert.ok(file.download_url.startsWith(url), file.download_url);
}

let files;

await check('emails.attachments.list', async () => {
  const list = good(await resend.emails.attachments.list({ emailId: rich }));
  assert.deepEqual([list.object, list.has_more], ['list', false]);
  list.data.forEach(isFile);
  files = list.data;
  assert.deepEqual(files.map((f) => [f.filename, f.size, f.content_disposition, f.content_id]), [
    ['logo.png', picture.length, 'inline', 'logo'], ['Rechnung über 5 €.txt', 6, 'attachment', undefined], ['bytes.bin', 3, 'attachment', undefined],
  ]);
});

await check('emails.attachments.list: pages', async () => {
  const names = async (options) => good(await resend.emails.attachments.list({ emailId: rich, ...options })).data.map((f) => f.filename);
  assert.deepEqual(await names({ limit: 1 }), ['logo.png']);
  assert.deepEqual(await names({ limit: 2, after: files[0].id }), ['Rechnung über 5 €.txt', 'bytes.bin']);
  assert.deepEqual(await names({ before: files[1].id }), ['logo.png']);
});

await check('emails.attachments.get, and the link without a key', async () => {
  const want = [picture, Buffer.from('42 EUR'), Buffer.from([0, 1, 255])];
  for (const [i, { id }] of files.entries()) {
    const file = good(await resend.emails.attachments.get({ emailId: rich, id }));
    assert.equal(file.object, 'attachment');
    isFile(file);
    const response = await fetch(file.download_url);
    assert.equal(response.status, 200);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(want[i]), file.filename);
  }
  assert.equal((await fetch(files[0].download_url.slice(0, -1))).status, 404);
});

await check('emails.attachments: errors', async () => {
  refused(await resend.emails.attachments.list({ emailId: nobody }), 404, 'not_found', /no such email/);
  refused(await resend.emails.attachments.list({ emailId: rich, limit: 0.5 }), 422, 'validation_error', /limit/);
  refused(await resend.emails.attachments.get({ emailId: rich, id: nobody }), 404, 'not_found', /no such attachment/);
  refused(await resend.emails.attachments.get({ emailId: nobody, id: files[0].id }), 404, 'not_found', /no such email/);
});

await check('batch.send: strict is the default', async () => {
  const sent = good(await resend.batch.send([mail({ to: 'one@example.com' }), mail({ to: ['two@example.com'], scheduledAt: inAnHour() })]));
  assert.deepEqual(Object.keys(sent), ['data']);
  assert.equal(sent.data.length, 2);
  const [one, two] = await Promise.all(sent.data.map(async ({ id }) => good(await resend.emails.get(id))));
  assert.deepEqual([one.to, two.to, two.last_event], [['one@example.com'], ['two@example.com'], 'scheduled']);
  await until(one.id, 'sent');
});

await check('batch.create: is send, and takes attachments', async () => {
  const sent = good(await resend.batch.create([mail({ attachments: [{ filename: 'a.txt', content: Buffer.from('hi') }] })], { batchValidation: 'strict' }));
  assert.equal(good(await resend.emails.attachments.list({ emailId: sent.data[0].id })).data[0].size, 2);
});

await check('batch.send: strict refuses all for one', async () => {
  const before = good(await resend.emails.list({ limit: 1 })).data[0].id;
  refused(await resend.batch.send([mail(), mail({ to: ['ok@example.com', 'no'] })]), 422, 'validation_error', /\/1\/to\/1/);
  refused(await resend.batch.send([mail(), mail({ from: undefined })]), 422, 'missing_required_field', /\/1\/from/);
  refused(await resend.batch.send([]), 422, 'missing_required_field', /at least one/);
  refused(await resend.batch.send(Array.from({ length: 501 }, () => mail())), 422, 'validation_error', /500/);
  assert.equal(good(await resend.emails.list({ limit: 1 })).data[0].id, before);
});

await check('batch.send: permissive accepts what is right', async () => {
  const send = () => resend.batch.send([mail({ to: 'no' }), mail({ subject: 'right' }), mail({ text: undefined })], { batchValidation: 'permissive', idempotencyKey: 'node-batch' });
  const first = await send();
  const sent = good(first);
  assert.equal(sent.data.length, 1);
  assert.deepEqual(sent.errors.map((e) => e.index), [0, 2]);
  sent.errors.forEach((e) => assert.equal(typeof e.message, 'string'));
  assert.equal(good(await resend.emails.get(sent.data[0].id)).subject, 'right');
  const again = await send();
  assert.deepEqual(good(again), sent);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  refused(await resend.batch.send([mail()], { idempotencyKey: 'node-batch' }), 409, 'invalid_idempotent_request', /Idempotency-Key/);
  refused(await resend.emails.send(mail(), { idempotencyKey: 'node-batch' }), 409, 'invalid_idempotent_request', /Idempotency-Key/);
  assert.deepEqual(good(await resend.batch.send([mail()], { batchValidation: 'permissive' })).errors, []);
});

await check('emails.send: every field error', async () => {
  refused(await resend.emails.send(mail({ to: undefined })), 422, 'missing_required_field', /\/to/);
  refused(await resend.emails.send(mail({ text: undefined })), 422, 'missing_required_field', /\/text/);
  refused(await resend.emails.send(mail({ from: 'nobody' })), 422, 'invalid_from_address', /\/from/);
  refused(await resend.emails.send(mail({ to: 'nobody' })), 422, 'validation_error', /\/to/);
  refused(await resend.emails.send(mail({ to: Array.from({ length: 51 }, (_, i) => `r${i}@example.com`) })), 422, 'validation_error', /50/);
  refused(await resend.emails.send(mail({ subject: 'a\nb' })), 422, 'validation_error', /\/subject/);
  refused(await resend.emails.send(mail({ attachments: [{ filename: 'a', content: '?' }] })), 422, 'invalid_attachment', /\/attachments\/0\/content/);
  refused(await resend.emails.send(mail({ attachments: [{ filename: 'a' }] })), 422, 'invalid_attachment', /\/attachments\/0\/content/);
  refused(await resend.emails.send(mail({ headers: { 'Message-ID': '<x@y>' } })), 422, 'validation_error', /\/headers\/Message-ID/);
  refused(await resend.emails.send(mail({ tags: [{ name: 'a b', value: 'c' }] })), 422, 'validation_error', /\/tags\/0\/name/);
  refused(await resend.emails.send(mail({ scheduledAt: 'in 1 hour' })), 422, 'validation_error', /\/scheduled_at/);
  refused(await resend.emails.send(mail({ topicId: nobody })), 422, 'validation_error', /\/topic_id: is not supported/);
});

await check('emails.send: a file by its path', async () => {
  const attachments = [{ path: `${process.env.POSTRIDER_STORY_FILES}/invoice.txt` }, { path: `${process.env.POSTRIDER_STORY_FILES}/x`, filename: 'second.txt' }];
  const { id } = good(await resend.emails.send(mail({ attachments })));
  const list = good(await resend.emails.attachments.list({ emailId: id }));
  assert.deepEqual(list.data.map((f) => [f.filename, f.size]), [['invoice.txt', 6], ['second.txt', 6]]);
  assert.equal(await (await fetch(list.data[0].download_url)).text(), '42 EUR');
  refused(await resend.emails.send(mail({ attachments: [{ path: 'http://127.0.0.1/x' }] })), 422, 'invalid_attachment', /\/attachments\/0\/path/);
  refused(await resend.emails.send(mail({ attachments: [{ ...attachments[0], content: 'aGk=' }] })), 422, 'invalid_attachment', /not both/);
  refused(await resend.batch.send([mail(), mail({ attachments })]), 422, 'validation_error', /\/1\/attachments\/0\/path: .*not fetched/);
});

await check('every call: no key, or a wrong one', async () => {
  const wrong = new Resend('re_wrong', { baseUrl: url });
  const calls = (r) => [
    r.emails.send(mail()), r.emails.get(rich), r.emails.list(), r.emails.update({ id: rich, scheduledAt: inAnHour() }), r.emails.cancel(rich),
    r.emails.attachments.list({ emailId: rich }), r.emails.attachments.get({ emailId: rich, id: files[0].id }), r.batch.send([mail()]), r.domains.list(),
    r.templates.create({ name: 'x', html: 'x' }), r.templates.get('x'), r.templates.list(), r.templates.update('x', {}), r.templates.publish('x'), r.templates.duplicate('x'),
    r.templates.remove('x'), r.apiKeys.create({ name: 'x' }), r.apiKeys.list(), r.apiKeys.remove(nobody),
  ];
  for (const answer of await Promise.all(calls(wrong))) refused(answer, 403, 'invalid_api_key', /key/);
  const without = new Resend(' ', { baseUrl: url });
  for (const answer of await Promise.all(calls(without))) refused(answer, 401, 'missing_api_key', /Bearer/);
});

await check('emails.get: errors', async () => {
  refused(await resend.emails.get(nobody), 404, 'not_found', /no such email/);
  refused(await resend.emails.get('x'), 404, 'not_found', /no such email/);
});

await import('./templates.mjs'); // after the checks above, which count on what the list begins with
await import('./keys.mjs');
await import('./errors.mjs');
await import('./every.mjs');
await import('./names.mjs');

console.log(JSON.stringify({ done: true }));
