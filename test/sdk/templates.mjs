// Every call of the templates resource of Resend's SDK for Node, and what emails by
// template meet.
import assert from 'node:assert/strict';
import { check, good, isID, isTime, nobody, refused, resend, until } from './story.mjs';

const order = {
  name: 'Order', alias: 'order', from: 'Shop <shop@sender.example>', replyTo: 'help@sender.example', subject: 'Order {{{NUMBER}}}',
  html: '<p>Dear {{{NAME}}}, {{{NUMBER}}}</p>', text: 'Dear {{{NAME}}}, {{{NUMBER}}}',
  variables: [{ key: 'NUMBER', type: 'number' }, { key: 'NAME', type: 'string', fallbackValue: 'customer' }],
};

// isItem holds a template against TemplateListItem, which Template has as well.
function isItem(template) {
  isID(template.id);
  assert.equal(typeof template.name, 'string');
  assert.ok(['draft', 'published'].includes(template.status), template.status);
  for (const field of ['created_at', 'updated_at']) isTime(template[field]);
  if (template.status === 'published') isTime(template.published_at);
  else assert.equal(template.published_at, null);
  assert.ok(template.alias === null || typeof template.alias === 'string');
}

// isTemplate holds it against GetTemplateResponseSuccess.
function isTemplate(template) {
  isItem(template);
  assert.equal(template.object, 'template');
  assert.equal(typeof template.html, 'string');
  for (const field of ['subject', 'text', 'from']) assert.ok(template[field] === null || typeof template[field] === 'string', field);
  assert.ok(template.reply_to === null || Array.isArray(template.reply_to));
  assert.equal(typeof template.has_unpublished_versions, 'boolean');
  isID(template.current_version_id);
  for (const variable of template.variables) {
    assert.ok(['string', 'number'].includes(variable.type));
    assert.ok(variable.fallback_value === null || typeof variable.fallback_value === variable.type);
    for (const field of ['created_at', 'updated_at']) isTime(variable[field]);
  }
}

const is = (answer, id) => assert.deepEqual(good(answer), { object: 'template', id });
let id;

await check('templates.create', async () => {
  const made = good(await resend.templates.create(order));
  assert.equal(made.object, 'template');
  isID(made.id);
  id = made.id;
});

await check('templates.get: by id and by alias', async () => {
  const draft = good(await resend.templates.get(id));
  isTemplate(draft);
  assert.deepEqual(good(await resend.templates.get('order')), draft);
  assert.deepEqual([draft.status, draft.has_unpublished_versions], ['draft', true]);
  for (const field of ['name', 'alias', 'from', 'subject', 'html', 'text']) assert.equal(draft[field], order[field]);
  assert.deepEqual(draft.reply_to, ['help@sender.example']);
  assert.deepEqual(draft.variables.map((v) => [v.key, v.type, v.fallback_value]), [['NUMBER', 'number', null], ['NAME', 'string', 'customer']]);
});

await check('emails.send: a template that is not published', async () => {
  refused(await resend.emails.send({ to: 'ann@example.com', template: { id, variables: { NUMBER: 1 } } }), 422, 'validation_error', /\/template\/id/);
});

await check('templates.publish', async () => {
  is(await resend.templates.publish('order'), id);
  const published = good(await resend.templates.get(id));
  isTemplate(published);
  assert.deepEqual([published.status, published.has_unpublished_versions], ['published', false]);
});

await check('emails.send: by id and by alias', async () => {
  const byID = good(await resend.emails.send({ to: 'ann@example.com', template: { id, variables: { NUMBER: 7, NAME: 'Ann & Bob' } } }));
  const byAlias = good(await resend.emails.send({ from: 'Me <me@sender.example>', to: 'ann@example.com', subject: 'Mine', replyTo: 'me@sender.example', template: { id: 'order', variables: { NUMBER: 8 } } }));
  const one = await until(byID.id, 'sent');
  assert.deepEqual([one.from, one.subject, one.reply_to], [order.from, 'Order 7', ['help@sender.example']]);
  assert.deepEqual([one.html, one.text], ['<p>Dear Ann &amp; Bob, 7</p>', 'Dear Ann & Bob, 7']);
  const two = await until(byAlias.id, 'sent');
  assert.deepEqual([two.from, two.subject, two.reply_to], ['Me <me@sender.example>', 'Mine', ['me@sender.example']]);
  assert.deepEqual([two.html, two.text], ['<p>Dear customer, 8</p>', 'Dear customer, 8']);
});

await check('emails.send: what does not fit its template', async () => {
  const send = (template, more) => resend.emails.send({ to: 'ann@example.com', template, ...more });
  refused(await send({ id: 'order' }), 422, 'validation_error', /\/template\/variables\/NUMBER/);
  refused(await send({ id: 'order', variables: { NUMBER: '7' } }), 422, 'validation_error', /\/template\/variables\/NUMBER/);
  refused(await send({ id: 'order', variables: { NUMBER: 7 } }, { html: '<p>' }), 422, 'validation_error', /\/html/);
  refused(await send({ id: 'nowhere' }), 422, 'validation_error', /\/template\/id: .*no such template/);
  refused(await send({ id: nobody }), 422, 'validation_error', /\/template\/id: .*no such template/);
});

await check('batch.send: by template', async () => {
  const one = (NUMBER) => ({ to: 'ann@example.com', template: { id: 'order', variables: { NUMBER } } });
  const sent = good(await resend.batch.send([one(1), one(2)]));
  assert.deepEqual(await Promise.all(sent.data.map(async (e) => good(await resend.emails.get(e.id)).subject)), ['Order 1', 'Order 2']);
  refused(await resend.batch.send([one(1), one('2')]), 422, 'validation_error', /\/1\/template\/variables\/NUMBER/);
  const some = good(await resend.batch.send([one(), one(3)], { batchValidation: 'permissive' }));
  assert.deepEqual([some.data.length, some.errors.map((e) => e.index)], [1, [0]]);
});

await check('templates.update: changes the draft and leaves the rest', async () => {
  is(await resend.templates.update('order', { subject: 'Your order {{{NUMBER}}}', replyTo: ['a@sender.example', 'b@sender.example'] }), id);
  const draft = good(await resend.templates.get(id));
  isTemplate(draft);
  assert.deepEqual([draft.subject, draft.html, draft.name, draft.status, draft.has_unpublished_versions], ['Your order {{{NUMBER}}}', order.html, 'Order', 'published', true]);
  assert.deepEqual(draft.reply_to, ['a@sender.example', 'b@sender.example']);
  const before = good(await resend.emails.send({ to: 'ann@example.com', template: { id, variables: { NUMBER: 9 } } }));
  assert.equal(good(await resend.emails.get(before.id)).subject, 'Order 9');
});

let copy;

await check('templates.duplicate, and publish at once', async () => {
  copy = good(await resend.templates.duplicate('order')).id;
  const draft = good(await resend.templates.get(copy));
  isTemplate(draft);
  assert.deepEqual([draft.status, draft.alias, draft.html], ['draft', null, order.html]);
  const published = good(await resend.templates.create({ name: 'Bye', html: '<p>Bye</p>' }).publish());
  assert.equal(good(await resend.templates.get(published.id)).status, 'published');
  const second = good(await resend.templates.duplicate(published.id).publish());
  assert.equal(good(await resend.templates.get(second.id)).status, 'published');
});

await check('templates.list: pages both ways', async () => {
  const all = good(await resend.templates.list());
  assert.deepEqual([all.object, all.has_more, all.data.length], ['list', false, 4]);
  all.data.forEach(isItem);
  const ids = all.data.map((t) => t.id);
  assert.deepEqual(ids.slice(2), [copy, id]);
  const page = async (options, want, more) => {
    const list = good(await resend.templates.list(options));
    assert.deepEqual([list.data.map((t) => t.id), list.has_more], [want, more]);
  };
  await page({ limit: 3 }, ids.slice(0, 3), true);
  await page({ limit: 2, after: ids[1] }, ids.slice(2), false);
  await page({ limit: 1, before: ids[2] }, [ids[1]], true);
  refused(await resend.templates.list({ limit: 101 }), 422, 'validation_error', /limit/);
  refused(await resend.templates.list({ after: 'x' }), 422, 'validation_error', /after/);
});

await check('templates: what cannot be saved', async () => {
  refused(await resend.templates.create({ html: '<p>' }), 422, 'missing_required_field', /\/name/);
  refused(await resend.templates.create({ name: 'x' }), 422, 'missing_required_field', /\/html/);
  refused(await resend.templates.create({ name: 'x', html: '<p>{{' }), 422, 'validation_error', /\/html: .*line 1/);
  refused(await resend.templates.create({ ...order }), 422, 'validation_error', /\/alias/);
  refused(await resend.templates.create({ ...order, alias: 'other', from: 'nobody' }), 422, 'invalid_from_address', /\/from/);
  refused(await resend.templates.update('order', { variables: [{ key: 'a b', type: 'string' }] }), 422, 'validation_error', /\/variables\/0\/key/);
  refused(await resend.templates.create({ name: 'x', html: '<p>{{' }).publish(), 422, 'validation_error', /\/html/);
});

await check('templates.remove', async () => {
  assert.deepEqual(good(await resend.templates.remove('order')), { object: 'template', id, deleted: true });
  refused(await resend.templates.get(id), 404, 'not_found', /no such template/);
  refused(await resend.emails.send({ to: 'ann@example.com', template: { id, variables: { NUMBER: 1 } } }), 422, 'validation_error', /\/template\/id/);
});

await check('templates: one that is not there', async () => {
  const calls = (r) => [r.get('order'), r.update('order', { name: 'x' }), r.publish(id), r.duplicate(nobody), r.remove('order')];
  for (const answer of await Promise.all(calls(resend.templates))) refused(answer, 404, 'not_found', /no such template/);
});
