declare module 'postgate:plugin/types@0.1.0' {
  /**
   * An enhanced status code (RFC 3463), for example 5.1.1.
   */
  export interface EnhancedCode {
    /**
     * 2, 4 or 5; must be the first digit of the reply code.
     */
    'class': number,
    /**
     * 0 to 999.
     */
    subject: number,
    /**
     * 0 to 999.
     */
    detail: number,
  }
  /**
   * A reply for the client (RFC 5321 section 4.2).
   */
  export interface Reply {
    /**
     * The reply code. Where a reply refuses: 400 to 599, and 421 also closes the connection.
     */
    code: number,
    /**
     * Filled in by the host from `code` where absent.
     */
    enhanced?: EnhancedCode,
    /**
     * One item a line, without code and line ending; filled in by the host where empty. A
     * line that would exceed 512 octets is cut by the host, and so is a reply of more than 100
     * lines.
     */
    lines: Array<string>,
  }
  /**
   * Why something is not taken: what the client reads, and what only the log shows.
   */
  export interface Refusal {
    /**
     * What the client reads. The code is 400 to 599.
     */
    reply: Reply,
    /**
     * For the operator's log only.
     */
    reason?: string,
  }
  /**
   * An answer that accepts or refuses a step of the session.
   */
  export type Verdict = VerdictNext | VerdictAccept | VerdictRefuse | VerdictDisconnect;
  /**
   * No objection: ask the next plugin, and go on where there is none.
   */
  export interface VerdictNext {
    tag: 'next',
  }
  /**
   * Take it, and ask no further plugin at this event. The gateway's own rules and the
   * backend still apply.
   */
  export interface VerdictAccept {
    tag: 'accept',
  }
  /**
   * Refuse this step; the session goes on.
   */
  export interface VerdictRefuse {
    tag: 'refuse',
    val: Refusal,
  }
  /**
   * Refuse with this reply and close the connection.
   */
  export interface VerdictDisconnect {
    tag: 'disconnect',
    val: Refusal,
  }
  /**
   * The answer to a recipient.
   */
  export type RcptVerdict = RcptVerdictNext | RcptVerdictAccept | RcptVerdictRefuse | RcptVerdictDisconnect | RcptVerdictDefer;
  /**
   * No objection: ask the next plugin, then offer the recipient to the backend.
   */
  export interface RcptVerdictNext {
    tag: 'next',
  }
  /**
   * Offer the recipient to the backend and ask no further plugin.
   */
  export interface RcptVerdictAccept {
    tag: 'accept',
  }
  /**
   * Refuse this recipient; the session goes on.
   */
  export interface RcptVerdictRefuse {
    tag: 'refuse',
    val: Refusal,
  }
  /**
   * Refuse with this reply and close the connection.
   */
  export interface RcptVerdictDisconnect {
    tag: 'disconnect',
    val: Refusal,
  }
  /**
   * Refuse this recipient, but say so only after the message has been received: sooner would
   * tell a stranger who exists. Further plugins are not asked, and the backend does not hear
   * of the recipient. Where others do get the message, the client is asked to try again, and
   * reads this refusal at RCPT then.
   */
  export interface RcptVerdictDefer {
    tag: 'defer',
    val: Refusal,
  }
  /**
   * The answer to an authentication attempt.
   */
  export type AuthVerdict = AuthVerdictNext | AuthVerdictAccept | AuthVerdictRefuse | AuthVerdictDisconnect;
  /**
   * No opinion: ask the next plugin. Where none accepts, the attempt is refused (535).
   */
  export interface AuthVerdictNext {
    tag: 'next',
  }
  /**
   * The credentials are right; the text is the identity to act as (authorization identity),
   * 1 to 255 octets.
   */
  export interface AuthVerdictAccept {
    tag: 'accept',
    val: string,
  }
  /**
   * Refuse the attempt; the session goes on.
   */
  export interface AuthVerdictRefuse {
    tag: 'refuse',
    val: Refusal,
  }
  /**
   * Refuse with this reply and close the connection.
   */
  export interface AuthVerdictDisconnect {
    tag: 'disconnect',
    val: Refusal,
  }
  /**
   * The answer to a complete message.
   */
  export type MessageVerdict = MessageVerdictNext | MessageVerdictAccept | MessageVerdictRefuse | MessageVerdictDisconnect | MessageVerdictDiscard | MessageVerdictQuarantine;
  /**
   * No objection: ask the next plugin, then hand the message to the backend.
   */
  export interface MessageVerdictNext {
    tag: 'next',
  }
  /**
   * Hand the message to the backend and ask no further plugin.
   */
  export interface MessageVerdictAccept {
    tag: 'accept',
  }
  /**
   * Refuse the message; the session goes on.
   */
  export interface MessageVerdictRefuse {
    tag: 'refuse',
    val: Refusal,
  }
  /**
   * Refuse with this reply and close the connection.
   */
  export interface MessageVerdictDisconnect {
    tag: 'disconnect',
    val: Refusal,
  }
  /**
   * Tell the client that the message was taken, and drop it. The text is the reason for the
   * log. Where recipients are refused, the client hears of them as of a message that others
   * get.
   */
  export interface MessageVerdictDiscard {
    tag: 'discard',
    val: string,
  }
  /**
   * Tell the client that the message was taken, once it is in the operator's quarantine
   * instead of the backend. The text is the reason for the log. Where recipients are refused,
   * the client hears of them as of a message that others get.
   */
  export interface MessageVerdictQuarantine {
    tag: 'quarantine',
    val: string,
  }
  /**
   * The answer to a question that a plugin can answer in the place of the gateway.
   */
  export type QueryVerdict = QueryVerdictNext | QueryVerdictReply | QueryVerdictDisconnect;
  /**
   * Nothing to say: ask the next plugin, and the gateway itself where there is none.
   */
  export interface QueryVerdictNext {
    tag: 'next',
  }
  /**
   * Answer with this reply. The code is 400 to 599, or one of 200 to 299 that the event
   * allows; 421 also closes the connection.
   */
  export interface QueryVerdictReply {
    tag: 'reply',
    val: Reply,
  }
  /**
   * Refuse with this reply and close the connection.
   */
  export interface QueryVerdictDisconnect {
    tag: 'disconnect',
    val: Refusal,
  }
  /**
   * A name and a value, for example a header field or an ESMTP parameter.
   */
  export interface Pair {
    /**
     * The name.
     */
    name: string,
    /**
     * The value.
     */
    value: string,
  }
  /**
   * What a plugin may change about the session. Applied only where the call succeeded, before
   * the next plugin is asked.
   */
  export type SessionEdit = SessionEditDelay | SessionEditTag;
  /**
   * Wait this many milliseconds before the reply; the host caps it (`limits.delay`).
   */
  export interface SessionEditDelay {
    tag: 'delay',
    val: number,
  }
  /**
   * Remember a tag that later plugins, the log line of each message and `session.tags` show.
   */
  export interface SessionEditTag {
    tag: 'tag',
    val: Pair,
  }
  /**
   * What a plugin may change at `proxy`.
   */
  export type ProxyEdit = ProxyEditSetClientIp | ProxyEditSetClientHost | ProxyEditSession;
  /**
   * Treat this address as the client's, in its text form.
   */
  export interface ProxyEditSetClientIp {
    tag: 'set-client-ip',
    val: string,
  }
  /**
   * Treat this name as the client's, in place of reverse DNS.
   */
  export interface ProxyEditSetClientHost {
    tag: 'set-client-host',
    val: string,
  }
  /**
   * A change that any event may make.
   */
  export interface ProxyEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * What a plugin may change at `connect`.
   */
  export type ConnectEdit = ConnectEditAddEhloKeyword | ConnectEditSetBanner | ConnectEditSetGreeting | ConnectEditAddVerb | ConnectEditAddMailParameter | ConnectEditAddRcptParameter | ConnectEditSession;
  /**
   * Announce this EHLO keyword, with its parameters, in addition to the host's. One of the
   * host's own, such as `AUTH`, is a failure of the plugin, whether it is offered now or not.
   */
  export interface ConnectEditAddEhloKeyword {
    tag: 'add-ehlo-keyword',
    val: string,
  }
  /**
   * The text after the host name in the 220 banner. CR, LF and NUL in it are left out.
   */
  export interface ConnectEditSetBanner {
    tag: 'set-banner',
    val: string,
  }
  /**
   * The text after the host name in the reply to HELO and EHLO. CR, LF and NUL in it are left
   * out.
   */
  export interface ConnectEditSetGreeting {
    tag: 'set-greeting',
    val: string,
  }
  /**
   * Call `on-command` for this verb, which the gateway does not know. Its own verbs cannot be
   * taken over.
   */
  export interface ConnectEditAddVerb {
    tag: 'add-verb',
    val: string,
  }
  /**
   * Take this parameter of MAIL, which the gateway does not know; see
   * `session.mail-parameters`.
   */
  export interface ConnectEditAddMailParameter {
    tag: 'add-mail-parameter',
    val: string,
  }
  /**
   * Take this parameter of RCPT, which the gateway does not know; see `on-rcpt`.
   */
  export interface ConnectEditAddRcptParameter {
    tag: 'add-rcpt-parameter',
    val: string,
  }
  /**
   * A change that any event may make.
   */
  export interface ConnectEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * What a plugin may change at `helo`.
   */
  export type HeloEdit = HeloEditAddEhloKeyword | HeloEditSetGreeting | HeloEditLimitAuthMechanisms | HeloEditAddVerb | HeloEditAddMailParameter | HeloEditAddRcptParameter | HeloEditSession;
  /**
   * Announce this EHLO keyword, with its parameters, in addition to the host's; see
   * `connect-edit`.
   */
  export interface HeloEditAddEhloKeyword {
    tag: 'add-ehlo-keyword',
    val: string,
  }
  /**
   * The text after the host name in the reply to HELO and EHLO. CR, LF and NUL in it are left
   * out.
   */
  export interface HeloEditSetGreeting {
    tag: 'set-greeting',
    val: string,
  }
  /**
   * Offer no other SASL mechanisms than these to this client. A mechanism that the listener
   * does not offer is not added by it; none at all takes AUTH out of the reply to EHLO.
   */
  export interface HeloEditLimitAuthMechanisms {
    tag: 'limit-auth-mechanisms',
    val: Array<string>,
  }
  /**
   * Call `on-command` for this verb, which the gateway does not know. Its own verbs cannot be
   * taken over.
   */
  export interface HeloEditAddVerb {
    tag: 'add-verb',
    val: string,
  }
  /**
   * Take this parameter of MAIL, which the gateway does not know; see
   * `session.mail-parameters`.
   */
  export interface HeloEditAddMailParameter {
    tag: 'add-mail-parameter',
    val: string,
  }
  /**
   * Take this parameter of RCPT, which the gateway does not know; see `on-rcpt`.
   */
  export interface HeloEditAddRcptParameter {
    tag: 'add-rcpt-parameter',
    val: string,
  }
  /**
   * A change that any event may make.
   */
  export interface HeloEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * What a plugin may change at `mail`.
   */
  export type MailEdit = MailEditRewriteSender | MailEditSession;
  /**
   * Replace the reverse-path: a mailbox, or nothing for the null reverse-path.
   */
  export interface MailEditRewriteSender {
    tag: 'rewrite-sender',
    val: string,
  }
  /**
   * A change that any event may make.
   */
  export interface MailEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * What a plugin may change at `rcpt`.
   */
  export type RcptEdit = RcptEditRewriteRecipient | RcptEditSession;
  /**
   * Replace this recipient by another mailbox.
   */
  export interface RcptEditRewriteRecipient {
    tag: 'rewrite-recipient',
    val: string,
  }
  /**
   * A change that any event may make.
   */
  export interface RcptEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * A header field to be added or put in another's place.
   */
  export interface HeaderField {
    /**
     * The field name (RFC 5322 section 2.2), 1 to 77 octets.
     */
    name: string,
    /**
     * The unfolded value, without CR, LF and NUL. The host folds it.
     */
    value: Uint8Array,
  }
  /**
   * A place among the fields of one name.
   */
  export interface HeaderPosition {
    /**
     * The field name; letter case does not matter.
     */
    name: string,
    /**
     * 0 is the topmost field of that name, and so on downwards.
     */
    index: number,
  }
  /**
   * A replacement for one header field.
   */
  export interface HeaderReplacement {
    /**
     * Which field.
     */
    at: HeaderPosition,
    /**
     * The new unfolded value.
     */
    value: Uint8Array,
  }
  /**
   * A header field to be put at a place of the header block.
   */
  export interface HeaderInsertion {
    /**
     * Before the field that has this index in the whole block; beyond its end means at the end.
     */
    index: number,
    /**
     * The new field.
     */
    field: HeaderField,
  }
  /**
   * What a plugin may change about the header block. Positions count the fields as earlier
   * edits, of this answer too, have left them.
   */
  export type HeaderEdit = HeaderEditPrepend | HeaderEditAppend | HeaderEditSet | HeaderEditInsert | HeaderEditReplace | HeaderEditRemove | HeaderEditRemoveAll;
  /**
   * Add a field above all others.
   */
  export interface HeaderEditPrepend {
    tag: 'prepend',
    val: HeaderField,
  }
  /**
   * Add a field below all others.
   */
  export interface HeaderEditAppend {
    tag: 'append',
    val: HeaderField,
  }
  /**
   * Leave exactly one field of this name: replace the value of the topmost and remove the
   * others, or add one below all other fields where there is none.
   */
  export interface HeaderEditSet {
    tag: 'set',
    val: HeaderField,
  }
  /**
   * Put a field at an exact place.
   */
  export interface HeaderEditInsert {
    tag: 'insert',
    val: HeaderInsertion,
  }
  /**
   * Replace the value of one field. A field that is not there is no error.
   */
  export interface HeaderEditReplace {
    tag: 'replace',
    val: HeaderReplacement,
  }
  /**
   * Remove one field. A field that is not there is no error.
   */
  export interface HeaderEditRemove {
    tag: 'remove',
    val: HeaderPosition,
  }
  /**
   * Remove all fields of this name.
   */
  export interface HeaderEditRemoveAll {
    tag: 'remove-all',
    val: string,
  }
  /**
   * What a plugin may change at `data`: the fields of a header block that is yet to come.
   */
  export type DataEdit = DataEditPrependHeader | DataEditSession;
  /**
   * Add a field above all others once the header block is there.
   */
  export interface DataEditPrependHeader {
    tag: 'prepend-header',
    val: HeaderField,
  }
  /**
   * A change that any event may make.
   */
  export interface DataEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * What a plugin may change at `headers`.
   */
  export type HeadersEdit = HeadersEditHeader | HeadersEditSession;
  /**
   * Change the header block.
   */
  export interface HeadersEditHeader {
    tag: 'header',
    val: HeaderEdit,
  }
  /**
   * A change that any event may make.
   */
  export interface HeadersEditSession {
    tag: 'session',
    val: SessionEdit,
  }
  /**
   * A recipient that does not get the message, and why.
   */
  export interface RecipientRefusal {
    /**
     * The recipient as `session.recipients` names it.
     */
    recipient: string,
    /**
     * What the client is to read about it.
     */
    refusal: Refusal,
  }
  /**
   * What a plugin may change at `message`.
   */
  export type MessageEdit = MessageEditHeader | MessageEditReplaceBody | MessageEditAddRecipient | MessageEditRemoveRecipient | MessageEditRefuseRecipient | MessageEditSetId | MessageEditRewriteSender | MessageEditSession;
  /**
   * Change the header block.
   */
  export interface MessageEditHeader {
    tag: 'header',
    val: HeaderEdit,
  }
  /**
   * Replace everything after the header block. Lines must end in CRLF.
   */
  export interface MessageEditReplaceBody {
    tag: 'replace-body',
    val: Uint8Array,
  }
  /**
   * Deliver to this mailbox too. It is offered to the backend before the message is, and
   * must be one that the gateway may relay to. Where the backend refuses it, the client is asked
   * to try again (451), and nobody gets the message until then: it is no fault of the client's.
   */
  export interface MessageEditAddRecipient {
    tag: 'add-recipient',
    val: string,
  }
  /**
   * Do not deliver to this mailbox, and let the client believe that it was. Where none is
   * left, the message is discarded.
   */
  export interface MessageEditRemoveRecipient {
    tag: 'remove-recipient',
    val: string,
  }
  /**
   * Do not deliver to this mailbox, and tell the client. Where all are refused, the message
   * is refused with the refusal of the last. Where others do get it, the client is asked to try
   * again, and reads this refusal at RCPT then.
   */
  export interface MessageEditRefuseRecipient {
    tag: 'refuse-recipient',
    val: RecipientRefusal,
  }
  /**
   * The name under which the client and the log know the message, in place of the id of the
   * transaction: 1 to 100 printable ASCII characters without blanks.
   */
  export interface MessageEditSetId {
    tag: 'set-id',
    val: string,
  }
  /**
   * Replace the reverse-path: a mailbox, or nothing for the null reverse-path.
   */
  export interface MessageEditRewriteSender {
    tag: 'rewrite-sender',
    val: string,
  }
  /**
   * A change that any event may make.
   */
  export interface MessageEditSession {
    tag: 'session',
    val: SessionEdit,
  }
}
