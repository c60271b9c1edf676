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
   * A reply to the client (RFC 5321 section 4.2).
   */
  export interface Reply {
    /**
     * The reply code. To refuse: 400 to 599; 421 and 521 also close the connection.
     */
    code: number,
    /**
     * If absent, the host derives it from `code`.
     */
    enhanced?: EnhancedCode,
    /**
     * One item per line, without code and line ending. If empty, the host adds a text. The
     * host cuts lines at 512 octets, and replies after 100 lines.
     */
    lines: Array<string>,
  }
  /**
   * A refusal: the reply to the client, and a reason for the log.
   */
  export interface Refusal {
    /**
     * The reply to the client. The code is 400 to 599.
     */
    reply: Reply,
    /**
     * The reason, which only the operator's log shows.
     */
    reason?: string,
  }
  /**
   * An answer that accepts or refuses a step of the session.
   */
  export type Verdict = VerdictNext | VerdictAccept | VerdictRefuse | VerdictDisconnect;
  /**
   * No objection: ask the next plugin, or go on if there is none.
   */
  export interface VerdictNext {
    tag: 'next',
  }
  /**
   * Accept this step, and ask no further plugin at this event. The gateway's own rules and
   * the backend still apply.
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
   * Refuse this recipient, but tell the client only after the message has been received. An
   * earlier refusal would reveal which recipients exist. Further plugins are not asked, and
   * the recipient is not offered to the backend. If other recipients get the message, the
   * client is asked to try again, and gets this refusal at RCPT then.
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
   * No opinion: ask the next plugin. If none accepts, the attempt is refused (535).
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
   * Tell the client that the message was accepted, and drop it. The text is the reason for
   * the log. If recipients are refused, the client is told about them as if the others got
   * the message.
   */
  export interface MessageVerdictDiscard {
    tag: 'discard',
    val: string,
  }
  /**
   * Put the message into the operator's quarantine instead of handing it to the backend,
   * then tell the client that it was accepted. The text is the reason for the log. If
   * recipients are refused, the client is told about them as if the others got the message.
   */
  export interface MessageVerdictQuarantine {
    tag: 'quarantine',
    val: string,
  }
  /**
   * The answer to a question that a plugin can answer instead of the gateway.
   */
  export type QueryVerdict = QueryVerdictNext | QueryVerdictReply | QueryVerdictDisconnect;
  /**
   * No answer: ask the next plugin. If there is none, the gateway answers.
   */
  export interface QueryVerdictNext {
    tag: 'next',
  }
  /**
   * Answer with this reply. The code is 400 to 599, or one of 200 to 299 that the event
   * allows; 421 and 521 also close the connection.
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
   * What a plugin may change about the session. Applied only if the call succeeded, before the
   * next plugin is asked.
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
   * Set a tag, which later plugins see in `session.tags` and the log line of each message
   * shows.
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
   * Treat this name as the client's, instead of the one from reverse DNS.
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
   * Announce this EHLO keyword, with its parameters, in addition to the host's. A keyword of
   * the host's own, such as `AUTH`, is a failure of the plugin, even if it is not offered at
   * the moment.
   */
  export interface ConnectEditAddEhloKeyword {
    tag: 'add-ehlo-keyword',
    val: string,
  }
  /**
   * The text after the host name in the 220 banner. CR, LF and NUL are removed.
   */
  export interface ConnectEditSetBanner {
    tag: 'set-banner',
    val: string,
  }
  /**
   * The text after the host name in the reply to HELO and EHLO. CR, LF and NUL are removed.
   */
  export interface ConnectEditSetGreeting {
    tag: 'set-greeting',
    val: string,
  }
  /**
   * Call `on-command` for this verb, which the gateway does not know. Its own verbs cannot
   * be replaced.
   */
  export interface ConnectEditAddVerb {
    tag: 'add-verb',
    val: string,
  }
  /**
   * Accept this parameter of MAIL, which the gateway does not know; see
   * `session.mail-parameters`.
   */
  export interface ConnectEditAddMailParameter {
    tag: 'add-mail-parameter',
    val: string,
  }
  /**
   * Accept this parameter of RCPT, which the gateway does not know; see `on-rcpt`.
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
   * The text after the host name in the reply to HELO and EHLO. CR, LF and NUL are removed.
   */
  export interface HeloEditSetGreeting {
    tag: 'set-greeting',
    val: string,
  }
  /**
   * Offer this client no other SASL mechanisms than these. Mechanisms that the listener does
   * not offer are not added. With an empty list, the reply to EHLO does not contain AUTH.
   */
  export interface HeloEditLimitAuthMechanisms {
    tag: 'limit-auth-mechanisms',
    val: Array<string>,
  }
  /**
   * Call `on-command` for this verb, which the gateway does not know. Its own verbs cannot
   * be replaced.
   */
  export interface HeloEditAddVerb {
    tag: 'add-verb',
    val: string,
  }
  /**
   * Accept this parameter of MAIL, which the gateway does not know; see
   * `session.mail-parameters`.
   */
  export interface HeloEditAddMailParameter {
    tag: 'add-mail-parameter',
    val: string,
  }
  /**
   * Accept this parameter of RCPT, which the gateway does not know; see `on-rcpt`.
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
   * Replace the reverse-path: a mailbox, or an empty text for the null reverse-path.
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
   * A header field to add, or to put in the place of another.
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
   * A position among the fields with the same name.
   */
  export interface HeaderPosition {
    /**
     * The field name; letter case does not matter.
     */
    name: string,
    /**
     * The number of the field from the top, starting at 0.
     */
    index: number,
  }
  /**
   * A replacement for one header field.
   */
  export interface HeaderReplacement {
    /**
     * The field to change.
     */
    at: HeaderPosition,
    /**
     * The new unfolded value.
     */
    value: Uint8Array,
  }
  /**
   * A header field to insert at a position of the header block.
   */
  export interface HeaderInsertion {
    /**
     * Insert before the field with this index in the whole block; an index beyond the end
     * means at the end.
     */
    index: number,
    /**
     * The new field.
     */
    field: HeaderField,
  }
  /**
   * What a plugin may change about the header block. Positions refer to the header block after
   * all earlier edits, including those of the same answer.
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
   * Leave exactly one field with this name: replace the value of the topmost one and remove
   * the others. If there is none, add it below all other fields.
   */
  export interface HeaderEditSet {
    tag: 'set',
    val: HeaderField,
  }
  /**
   * Insert a field at an exact position.
   */
  export interface HeaderEditInsert {
    tag: 'insert',
    val: HeaderInsertion,
  }
  /**
   * Replace the value of one field. It is not an error if the field does not exist.
   */
  export interface HeaderEditReplace {
    tag: 'replace',
    val: HeaderReplacement,
  }
  /**
   * Remove one field. It is not an error if the field does not exist.
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
   * What a plugin may change at `data`, before the header block has arrived.
   */
  export type DataEdit = DataEditPrependHeader | DataEditSession;
  /**
   * Add a field above all others when the header block has arrived.
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
     * The recipient, written as in `session.recipients`.
     */
    recipient: string,
    /**
     * The refusal that the client gets.
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
   * Replace everything after the header block. Lines end in CRLF: a CR or LF alone becomes
   * one, and the last line is completed, unless the client has said BODY=BINARYMIME.
   */
  export interface MessageEditReplaceBody {
    tag: 'replace-body',
    val: Uint8Array,
  }
  /**
   * Also deliver to this mailbox. It is offered to the backend before the message, and must
   * be one that the gateway may relay to. If the backend refuses it, the client is asked to
   * try again (451), and no recipient gets the message yet.
   */
  export interface MessageEditAddRecipient {
    tag: 'add-recipient',
    val: string,
  }
  /**
   * Do not deliver to this mailbox, and do not tell the client. If no recipient is left, the
   * message is discarded.
   */
  export interface MessageEditRemoveRecipient {
    tag: 'remove-recipient',
    val: string,
  }
  /**
   * Do not deliver to this mailbox, and tell the client. If all recipients are refused, the
   * message is refused with the refusal of the last one. If others get the message, the
   * client is asked to try again, and gets this refusal at RCPT then.
   */
  export interface MessageEditRefuseRecipient {
    tag: 'refuse-recipient',
    val: RecipientRefusal,
  }
  /**
   * Set the id under which the client and the log know the message, instead of the id of the
   * transaction: 1 to 100 printable ASCII characters without blanks.
   */
  export interface MessageEditSetId {
    tag: 'set-id',
    val: string,
  }
  /**
   * Replace the reverse-path: a mailbox, or an empty text for the null reverse-path.
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
