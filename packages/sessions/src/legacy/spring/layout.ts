/**
 * A session of Spring Session is a Redis hash: times and attributes are fields, each serialised by itself. As one text
 * it is a JSON object of these fields in the order of their names: `{"creationTime": …, "sessionAttr:cart": …}`. A field
 * that is well-formed UTF-8 stands as `"t:…"`, any other as `"b:…"` in base64. The time of the last access is left out:
 * it says no more than the expiry, which the source tells, and would make each touch another content.
 */
export type SpringFields = ReadonlyMap<string, Buffer>;

/** Fields that every session has; one that lacks any is what a late request left of a deleted one. */
export const CREATION_TIME = 'creationTime';
export const LAST_ACCESSED_TIME = 'lastAccessedTime';
export const MAX_INACTIVE_INTERVAL = 'maxInactiveInterval';
/** What stands before the names of attributes. */
export const ATTRIBUTE_PREFIX = 'sessionAttr:';
/** The attribute of Spring Security. */
export const SECURITY_CONTEXT = 'SPRING_SECURITY_CONTEXT';
/** The attribute by which an application names the user itself. */
export const PRINCIPAL_NAME = 'org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME';
