// Every call that the SDK has, found by going through the SDK itself: each resource,
// each method. A call is offered, and then another file makes it; or it asks no server;
// or it must be answered as not offered. So a later SDK's new calls are seen here first.
import assert from 'node:assert/strict';
import { check, nobody, refused, resend } from './story.mjs';

const offered = new Set([
  'emails.send', 'emails.create', 'emails.get', 'emails.list', 'emails.update', 'emails.cancel', 'emails.attachments.get', 'emails.attachments.list',
  'batch.send', 'batch.create', 'apiKeys.create', 'apiKeys.list', 'apiKeys.remove', 'templates.create', 'templates.remove', 'templates.get',
  'templates.list', 'templates.duplicate', 'templates.publish', 'templates.update',
]);
const local = new Set([
  'webhooks.verify', 'templates.performCreate', 'contacts.imports.buildCreateFormData', 'contacts.imports.buildColumnMap', 'contacts.imports.appendField',
  'emails.receiving.forwardPassthrough', 'emails.receiving.forwardWrapped', 'emails.receiving.downloadRaw', // parts of forward, after its first call
]);

// What a call is given: an id wherever it looks for one, and little else.
const some = new Proxy({}, {
  has: () => false,
  ownKeys: () => [],
  get: (_, name) => ({ then: undefined, toJSON: () => ({}), [Symbol.toPrimitive]: () => nobody })[name] ?? (typeof name === 'string' && /id$|email$/i.test(name) ? nobody : undefined),
});
const given = {
  'automations.create': [{ name: 'x', steps: [], connections: [] }],
  'emails.metrics': [{ granularity: 'daily' }],
  'contacts.imports.create': [{ file: new Blob(['email\n']) }],
};

function* calls(object, path = []) {
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object))) {
    if (name !== 'constructor') yield { name: [...path, name].join('.'), make: (args) => object[name](...args) };
  }
  for (const [name, part] of Object.entries(object)) {
    if (name !== 'resend' && part !== null && typeof part === 'object') yield* calls(part, [...path, name]);
  }
}

const found = Object.entries(resend).filter(([name, part]) => part?.resend && name !== 'audiences').flatMap(([name, part]) => [...calls(part, [name])]);

await check('every call of the SDK: what is listed here is there', async () => {
  const names = new Set(found.map((call) => call.name));
  assert.deepEqual([...offered, ...local].filter((name) => !names.has(name)), []);
  assert.ok(names.size > 100, `only ${names.size} calls were found`);
});

const through = globalThis.fetch;

for (const { name, make } of found.filter((call) => !offered.has(call.name) && !local.has(call.name))) {
  await check(`every call of the SDK: ${name}`, async () => {
    const asked = [];
    globalThis.fetch = (target, options) => {
      asked.push(`${options.method} ${new URL(target).pathname}`);
      return through(target, options);
    };
    try {
      const answer = await make(given[name] ?? [some, some]);
      assert.equal(asked.length, 1, `${name} asked ${asked.length} times`);
      refused(answer, 501, 'not_implemented', new RegExp(`does not offer ${asked[0]}: `));
    } finally {
      globalThis.fetch = through;
    }
  });
}
