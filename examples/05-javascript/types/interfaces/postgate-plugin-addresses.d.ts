declare module 'postgate:plugin/addresses@0.1.0' {
  /**
   * The canonical form of an address: two texts name the same mailbox if their canonical forms are
   * equal. The domain is as in `canonical-domain`. The local part has quotes and backslashes only
   * where they are necessary (RFC 5321 section 4.1.2), and its letter case is kept, because only the
   * server of the domain may say that it does not matter. A text that is no address is returned
   * with as little change.
   */
  export function canonical(address: string): string;
  /**
   * The canonical form of a domain or an address literal: A-labels in lower case without a dot at the
   * end (RFC 5890 section 2.3.2.1), or the address as RFC 5952 writes it. A text that is neither is
   * returned in lower case.
   */
  export function canonicalDomain(domain: string): string;
}
