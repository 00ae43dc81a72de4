// Every call of the apiKeys resource of Resend's SDK for Node, and what keys meet that
// may not do everything.
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { Resend } from 'resend';
import { check, good, isID, isTime, mail, nobody, refused, resend, url } from './story.mjs';

const as = (token) => new Resend(token, { baseUrl: url });

async function make(options) {
  const made = good(await resend.apiKeys.create(options));
  isID(made.id);
  assert.match(made.token, /^pr_[0-9A-Za-z]{49}$/);
  return made;
}

let shop;

await check('apiKeys.create: one that may send and no more', async () => {
  shop = await make({ name: 'shop', permission: 'sending_access' });
  const client = as(shop.token);
  const { id } = good(await client.emails.send(mail()));
  const calls = [client.emails.get(id), client.emails.list(), client.templates.list(), client.apiKeys.list(), client.apiKeys.remove(shop.id), client.emails.cancel(id)];
  for (const answer of await Promise.all(calls)) refused(answer, 401, 'restricted_api_key', /scope sending/);
});

await check('apiKeys.create: full access has no say over keys', async () => {
  const client = as((await make({ name: 'full', permission: 'full_access' })).token);
  good(await client.emails.get(good(await client.emails.send(mail())).id));
  refused(await client.apiKeys.create({ name: 'x' }), 401, 'restricted_api_key', /administer/);
});

await check('apiKeys.create: for one domain, by its name', async () => {
  const client = as((await make({ name: 'domain', permission: 'sending_access', domain_id: 'sender.example' })).token);
  good(await client.emails.send(mail()));
  refused(await client.emails.send(mail({ from: 'a@bank.example' })), 403, 'validation_error', /bank\.example/);
  refused(await client.batch.send([mail(), mail({ from: 'a@bank.example' })]), 403, 'validation_error', /bank\.example/);
});

await check('apiKeys.create: errors', async () => {
  refused(await resend.apiKeys.create({}), 422, 'missing_required_field', /\/name/);
  refused(await resend.apiKeys.create({ name: 'x', permission: 'everything' }), 422, 'invalid_access', /\/permission/);
  refused(await resend.apiKeys.create({ name: 'x', domain_id: nobody }), 422, 'validation_error', /\/domain_id/);
});

await check('apiKeys.list: pages both ways', async () => {
  const all = good(await resend.apiKeys.list());
  assert.deepEqual([all.object, all.has_more, all.data.map((k) => k.name)], ['list', false, ['domain', 'full', 'shop']]);
  for (const key of all.data) {
    isID(key.id);
    isTime(key.created_at);
    if (key.last_used_at !== null) isTime(key.last_used_at);
    assert.equal(key.token, undefined);
  }
  const page = async (options, want, more) => {
    const list = good(await resend.apiKeys.list(options));
    assert.deepEqual([list.data.map((k) => k.name), list.has_more], [want, more]);
  };
  await page({ limit: 2 }, ['domain', 'full'], true);
  await page({ limit: 2, after: all.data[1].id }, ['shop'], false);
  await page({ limit: 1, before: shop.id }, ['full'], true);
  refused(await resend.apiKeys.list({ limit: 101 }), 422, 'validation_error', /limit/);
});

await check('apiKeys.update: keys do not change', async () => {
  refused(await resend.apiKeys.update(shop.id, { name: 'other' }), 501, 'not_implemented', /make another .* DELETE/);
});

await check('apiKeys.remove: within 5 seconds nobody takes the key', async () => {
  assert.deepEqual(good(await resend.apiKeys.remove(shop.id)), { object: 'api_key', id: shop.id, deleted: true });
  const end = Date.now() + 5000;
  for (;;) {
    const begun = Date.now();
    const answer = await as(shop.token).emails.send(mail());
    if (answer.error) {
      refused(answer, 403, 'invalid_api_key', /key/);
      break;
    }
    assert.ok(begun < end, 'still taken');
    await wait(50);
  }
  refused(await resend.apiKeys.remove(shop.id), 404, 'not_found', /no such API key/);
  refused(await resend.apiKeys.remove(nobody), 404, 'not_found', /no such API key/);
});

await check('rate_limit_exceeded, with the headers', async () => {
  const client = as((await make({ name: 'slow', rate: 1 })).token);
  const answers = await Promise.all(Array.from({ length: 12 }, () => client.emails.send(mail())));
  for (const { headers } of answers) {
    assert.equal(headers['ratelimit-limit'], '1');
    assert.match(headers['ratelimit-reset'], /^[01]$/);
  }
  answers.filter((a) => !a.error).forEach(good);
  const late = answers.filter((a) => a.error);
  assert.ok(late.length > 0, 'twelve at once were all within one a second');
  for (const answer of late) {
    refused(answer, 429, 'rate_limit_exceeded', /1 requests? a second/);
    assert.deepEqual([answer.headers['ratelimit-remaining'], answer.headers['retry-after']], ['0', '1']);
  }
  await wait(1000 * late[0].headers['retry-after'] + 50); // as it says; the rest is for clocks that go apart
  good(await client.emails.send(mail()));
});

await check('daily_quota_exceeded', async () => {
  const client = as((await make({ name: 'daily', daily_quota: 2 })).token);
  good(await client.emails.send(mail()));
  const answer = await client.emails.send(mail({ to: ['ann@example.com', 'bob@example.com'] }));
  refused(answer, 429, 'daily_quota_exceeded', /2 recipients a day, of whom 1 are left/);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(seconds > 0 && seconds <= 86400, answer.headers['retry-after']);
  assert.equal(answer.headers['ratelimit-limit'], undefined);
  refused(await client.batch.send([mail(), mail()]), 429, 'daily_quota_exceeded', /recipients a day/); // and takes none of the quota
  good(await client.emails.send(mail()));
});
