// Refuses recipients that are on a list, and adds a header field to the mail of all others.
//
// An instance serves one session: what a module remembers, it remembers about that session alone.

import { canonical } from 'postgate:plugin/addresses@0.1.0';
import { json } from 'postgate:plugin/config@0.1.0';

// `refused` in the [config] table of new-plugin.toml.
let refused = [];

export const onInit = {
  onInit() {
    const { refused: addresses = [], ...others } = JSON.parse(json());
    for (const key in others) throw `config: there is no key ${key}`;
    refused = addresses.map(mailbox);
  },
};

export const onRcpt = {
  onRcpt(recipient, parameters) {
    if (!refused.includes(mailbox(recipient))) return { verdict: { tag: 'next' }, edits: [] };
    const reply = {
      code: 550,
      enhanced: { class: 5, subject: 7, detail: 1 },
      lines: ['this recipient takes no mail'],
    };
    return { verdict: { tag: 'refuse', val: { reply } }, edits: [] };
  },
};

export const onHeaders = {
  onHeaders() {
    const field = { name: 'X-Checked-By', value: ascii('new-plugin') };
    const edit = { tag: 'header', val: { tag: 'append', val: field } };
    return { verdict: { tag: 'next' }, edits: [edit] };
  },
};

/** All spellings of an address have one form: "bob"@example.org is bob@example.org. */
function mailbox(address) {
  return canonical(address).toLowerCase();
}

/** The octets of a text. The engine has no TextEncoder. */
function ascii(text) {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
