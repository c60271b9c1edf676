// @ts-check
/// <reference path="types/plugin.d.ts" />

// Refuses mail for a closed mailbox, and marks messages that mention a phrase.
//
// An instance serves one session: what a module remembers, it remembers about that session alone.

import { canonical } from 'postgate:plugin/addresses@0.1.0';
import { get } from 'postgate:plugin/config@0.1.0';
import { plainPart, readText } from 'postgate:plugin/message@0.1.0';

const READ_AT_MOST = 65536;

// What stands below [config] in caution.toml.
let closed = '';
let phrase = '';

/** @type {typeof import('postgate:plugin/on-init@0.1.0')} */
export const onInit = {
  onInit() {
    closed = mailbox(get('closed') ?? '');
    phrase = (get('phrase') ?? '').toLowerCase();
    if (!closed || !phrase) throw 'config.closed or config.phrase is missing';
  },
};

/** @type {typeof import('postgate:plugin/on-rcpt@0.1.0')} */
export const onRcpt = {
  onRcpt(recipient, parameters) {
    if (mailbox(recipient) !== closed) return { verdict: { tag: 'next' }, edits: [] };
    const reply = {
      code: 550,
      enhanced: { class: 5, subject: 2, detail: 1 },
      lines: ['this mailbox is closed'],
    };
    return { verdict: { tag: 'refuse', val: { reply } }, edits: [] };
  },
};

/** @type {typeof import('postgate:plugin/on-message@0.1.0')} */
export const onMessage = {
  onMessage() {
    // Only this plugin says so: what a sender wrote there is not believed.
    /** @type {import('postgate:plugin/types@0.1.0').HeaderEdit} */
    const edit = textOfMessage().toLowerCase().includes(phrase)
      ? { tag: 'set', val: { name: 'X-Caution', value: utf8(`mentions "${phrase}"`) } }
      : { tag: 'remove-all', val: 'X-Caution' };
    return { verdict: { tag: 'next' }, edits: [{ tag: 'header', val: edit }] };
  },
};

/**
 * All spellings of an address have one form: "leaver"@example.org is leaver@example.org.
 * @param {string} address
 */
function mailbox(address) {
  return canonical(address).toLowerCase();
}

/** The text that a reader is shown, as far as it matters here. */
function textOfMessage() {
  const part = plainPart();
  return part == null ? '' : (readText(part, 0, READ_AT_MOST) ?? '');
}

/**
 * The octets of a text. The engine has no TextEncoder.
 * @param {string} text
 */
function utf8(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (octet) => octet.charCodeAt(0));
}
