/** A class as a stream describes it (java.io.ObjectStreamClass); nothing of it is ever loaded. */
export interface JavaClass {
  readonly kind: 'class';
  /** As `Class.getName` gives it; of a proxy the interfaces, joined by commas. */
  readonly name: string;
  /** The SC_* flags; 0 for a proxy. */
  flags: number;
  readonly proxy: boolean;
  /** Primitive ones first, as the stream has them. */
  fields: readonly JavaField[];
  superclass: JavaClass | null;
}

/** A field of a class: its type's first character and its name. */
export interface JavaField {
  readonly type: string;
  readonly name: string;
}

/** What one class of an object's ancestry has written. */
export interface JavaClassData {
  readonly of: JavaClass;
  readonly fields: ReadonlyMap<string, JavaValue>;
  /** What the class wrote by itself: runs of bytes and objects, in order. */
  readonly extra: readonly (JavaValue | Buffer)[];
}

/** An object: the data of its classes, from the topmost to its own. */
export interface JavaObject {
  readonly kind: 'object';
  readonly class: JavaClass;
  readonly data: JavaClassData[];
}

/** An array, of primitives or of objects. */
export interface JavaArray {
  readonly kind: 'array';
  readonly class: JavaClass;
  items: readonly JavaValue[];
}

/** A constant of an enumeration. */
export interface JavaEnum {
  readonly kind: 'enum';
  readonly class: JavaClass;
  constant: string;
}

/** A class as a value (`String.class`). */
export interface JavaClassValue {
  readonly kind: 'type';
  readonly class: JavaClass;
}

/** Anything that has a handle besides class descriptors and texts. */
export type JavaReferable = JavaObject | JavaArray | JavaEnum | JavaClassValue;

/** Numbers of 64 bits are bigint; a `char` is a text of one UTF-16 unit. */
export type JavaValue = null | boolean | number | bigint | string | JavaReferable;
