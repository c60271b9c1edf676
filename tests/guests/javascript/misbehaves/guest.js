// Does what the local part of the recipient says.

const deeds = {
  throw() {
    throw new Error('not today');
  },
  loop() {
    for (;;);
  },
  hoard() {
    const hoard = [];
    for (;;) hoard.push(new Uint8Array(1 << 20).fill(1));
  },
  recurse() {
    return deeds.recurse() + 1;
  },
  clock() {
    return String(Date.now());
  },
  random() {
    return String(Math.random());
  },
};

export const onRcpt = {
  onRcpt(recipient) {
    const text = deeds[recipient.split('@')[0]]();
    return { verdict: { tag: 'refuse', val: { reply: { code: 550, lines: [text] } } }, edits: [] };
  },
};
