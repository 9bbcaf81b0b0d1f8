import type { JavaObject, JavaValue } from './values.ts';

/** A field's value, of the object's own class or the nearest ancestor that has it; undefined: none has. */
export function fieldOf(object: JavaObject, name: string): JavaValue | undefined {
  for (let i = object.data.length - 1; i >= 0; i--) {
    const value = object.data[i]?.fields.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** What the classes of an object wrote by themselves, from the topmost on. */
function extraOf(object: JavaObject): (JavaValue | Buffer)[] {
  return object.data.flatMap(({ extra }) => extra);
}

/** The first run of bytes that its classes wrote by themselves, where it has at least `length`; undefined: there is none. */
export function blockOf(object: JavaObject, length: number): Buffer | undefined {
  const block = extraOf(object).find((each) => Buffer.isBuffer(each));
  return block !== undefined && block.length >= length ? block : undefined;
}

/** The objects among what its classes wrote by themselves. */
export function objectsOf(object: JavaObject): JavaValue[] {
  return extraOf(object).filter((each): each is JavaValue => !Buffer.isBuffer(each));
}
