// Every name that the SDK knows for an error has been met by now, or the page for those
// who come from Resend says why it never comes. This file is run last.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { check, errorNames, met } from './story.mjs';

const elsewhere = ['internal_server_error']; // met in trouble.mjs

await check('every name of an error is met, or said to be never sent', async () => {
  const page = readFileSync(new URL('../../docs/coming-from-resend.md', import.meta.url), 'utf8');
  const section = page.split('## Errors that are never sent')[1].split('\n## ')[0];
  const never = [...section.matchAll(/^\| `(\w+)` \| \S/gm)].map((row) => row[1]);
  assert.deepEqual([...met, ...elsewhere, ...never].filter((name) => errorNames.includes(name)).sort(), [...errorNames].sort());
});
