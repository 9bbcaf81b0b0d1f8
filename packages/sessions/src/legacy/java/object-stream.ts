import { StructureFault, type StructureLimits } from '../structure-decoder.ts';
import { JavaInput } from './input.ts';
import { SC, TC, isNewObject } from './stream-constants.ts';
import type { JavaArray, JavaClass, JavaClassData, JavaEnum, JavaField, JavaObject, JavaReferable, JavaValue } from './values.ts';

/** What a handle can stand for. */
type Referable = JavaReferable | JavaClass | string;

/** Stands for a TC_ENDBLOCKDATA among contents. */
const END = Symbol('end');

const HEADER = 0xaced0005 | 0;
const FIRST_HANDLE = 0x7e0000;
/** Bytes that one item of an array takes at least. */
const ITEM_BYTES: Readonly<Record<string, number>> = { B: 1, C: 2, D: 8, F: 4, I: 4, J: 8, S: 2, Z: 1, L: 1, '[': 1 };

/**
 * Reads one object from a stream of the Java Object Serialization Stream Protocol (Java Object Serialization
 * Specification, chapter 6), as structure: no class is looked up and nothing is constructed. Throws `StructureFault`:
 * `malformed`, `too_deep`, `too_large` for more values than may be, `type_refused` for what only its own class can read.
 *
 * Time and memory are linear in the bytes: a length is compared with what is left before anything is made for it, a
 * back reference costs nothing, and each class that an object names counts as a value.
 */
export function readJavaObject(bytes: Buffer, limits: Pick<StructureLimits, 'maxDepth' | 'maxNodes'>): JavaValue {
  const reader = new ObjectStreamReader(new JavaInput(bytes), limits);
  return reader.read();
}

class ObjectStreamReader {
  readonly #input: JavaInput;
  readonly #limits: Pick<StructureLimits, 'maxDepth' | 'maxNodes'>;
  #handles: Referable[] = [];
  #depth = 0;
  #nodes = 0;

  constructor(input: JavaInput, limits: Pick<StructureLimits, 'maxDepth' | 'maxNodes'>) {
    this.#input = input;
    this.#limits = limits;
  }

  read(): JavaValue {
    if (this.#input.i32() !== HEADER) throw malformed('has no header of version 5');
    while (this.#input.peek() === TC.RESET) {
      this.#input.u8();
      this.#handles = [];
    }
    const value = this.#object();
    if (this.#input.left > 0) throw malformed('goes on after its object');
    return value;
  }

  /** An object, or null, or a back reference to one. */
  #object(): JavaValue {
    const code = this.#input.u8();
    this.#count(1);
    switch (code) {
      case TC.NULL:
        return null;
      case TC.REFERENCE: {
        const found = this.#reference();
        // A class descriptor may be written as an object too, and is read as one by nobody.
        if (typeof found !== 'string' && found.kind === 'class') throw malformed('refers to a class where an object belongs');
        return found;
      }
      case TC.STRING:
      case TC.LONGSTRING:
        return this.#text(code);
      case TC.OBJECT:
        return this.#nested(() => this.#instance());
      case TC.ARRAY:
        return this.#nested(() => this.#array());
      case TC.ENUM:
        return this.#nested(() => this.#enum());
      case TC.CLASS: {
        const value = { kind: 'type', class: this.#described() } as const;
        this.#handles.push(value);
        return value;
      }
      case TC.CLASSDESC:
      case TC.PROXYCLASSDESC:
        throw new StructureFault('type_refused', 'the Java stream holds the description of a class as a value');
      case TC.EXCEPTION:
        throw new StructureFault('type_refused', 'the Java stream says that its writer failed');
      default:
        throw malformed('has an unknown type code');
    }
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > this.#limits.maxDepth) throw new StructureFault('too_deep', `nested deeper than ${this.#limits.maxDepth}`);
    const value = read();
    this.#depth--;
    return value;
  }

  #count(nodes: number): void {
    this.#nodes += nodes;
    if (this.#nodes > this.#limits.maxNodes) throw new StructureFault('too_large', `more than ${this.#limits.maxNodes} values`);
  }

  #reference(): Referable {
    const found = this.#handles[this.#input.i32() - FIRST_HANDLE];
    if (found === undefined) throw malformed('refers to what it has not had');
    return found;
  }

  #text(code: number): string {
    const text = code === TC.STRING ? this.#input.utf() : this.#input.longUtf();
    this.#handles.push(text);
    return text;
  }

  /** A text that stands as an object: a constant's name, the type of a field. */
  #textObject(): string {
    const code = this.#input.u8();
    if (code === TC.STRING || code === TC.LONGSTRING) return this.#text(code);
    const found = code === TC.REFERENCE ? this.#reference() : undefined;
    if (typeof found !== 'string') throw malformed('has no text where one belongs');
    return found;
  }

  /** The class of something that must have one. */
  #described(): JavaClass {
    const described = this.#classDescriptor();
    if (described === null) throw malformed('has an object without a class');
    return described;
  }

  #classDescriptor(): JavaClass | null {
    const code = this.#input.u8();
    this.#count(1);
    switch (code) {
      case TC.NULL:
        return null;
      case TC.REFERENCE: {
        const found = this.#reference();
        if (typeof found === 'string' || found.kind !== 'class') throw malformed('refers to an object where a class belongs');
        return found;
      }
      case TC.CLASSDESC:
        return this.#nested(() => this.#newClass());
      case TC.PROXYCLASSDESC:
        return this.#nested(() => this.#newProxyClass());
      default:
        throw malformed('has no class where one belongs');
    }
  }

  #newClass(): JavaClass {
    const name = this.#input.utf();
    this.#input.i64();
    const made: JavaClass = { kind: 'class', name, flags: 0, proxy: false, fields: [], superclass: null };
    this.#handles.push(made);
    made.flags = this.#input.u8();
    if (made.flags & SC.SERIALIZABLE && made.flags & SC.EXTERNALIZABLE) throw malformed('has a class that is written in two ways');
    made.fields = this.#fields();
    this.#annotation();
    made.superclass = this.#superclass(made);
    return made;
  }

  #newProxyClass(): JavaClass {
    const interfaces: string[] = [];
    const handle = this.#handles.push('') - 1;
    const count = this.#input.i32();
    if (count < 0 || count > this.#input.left / 2) throw malformed('has a length beyond its end');
    for (let i = 0; i < count; i++) interfaces.push(this.#input.utf());
    const made: JavaClass = {
      kind: 'class',
      name: interfaces.join(','),
      flags: SC.SERIALIZABLE,
      proxy: true,
      fields: [],
      superclass: null,
    };
    this.#handles[handle] = made;
    this.#annotation();
    made.superclass = this.#superclass(made);
    return made;
  }

  /** A class that descends from itself would make its objects endless. */
  #superclass(of: JavaClass): JavaClass | null {
    const superclass = this.#classDescriptor();
    for (let at = superclass; at !== null; at = at.superclass) {
      this.#count(1);
      if (at === of) throw malformed('has a class that descends from itself');
    }
    return superclass;
  }

  #fields(): JavaField[] {
    const fields: JavaField[] = [];
    for (let left = this.#input.u16(); left > 0; left--) {
      this.#count(1);
      const type = String.fromCharCode(this.#input.u8());
      const name = this.#input.utf();
      if (ITEM_BYTES[type] === undefined) throw malformed('has a field of an unknown type');
      if (type === 'L' || type === '[') this.#textObject();
      fields.push({ type, name });
    }
    return fields;
  }

  #instance(): JavaObject {
    const described = this.#described();
    const object: JavaObject = { kind: 'object', class: described, data: [] };
    this.#handles.push(object);
    const ancestry: JavaClass[] = [];
    for (let at: JavaClass | null = described; at !== null; at = at.superclass) ancestry.unshift(at);
    this.#count(ancestry.length);
    for (const of of ancestry) object.data.push(this.#classData(of));
    return object;
  }

  #classData(of: JavaClass): JavaClassData {
    const fields = new Map<string, JavaValue>();
    if (of.flags & SC.EXTERNALIZABLE) {
      // Protocol version 1: only the class itself knows where its data ends.
      if (!(of.flags & SC.BLOCK_DATA)) throw new StructureFault('type_refused', 'the Java stream holds a class that writes without marks');
      return { of, fields, extra: this.#annotation() };
    }
    if (!(of.flags & SC.SERIALIZABLE)) return { of, fields, extra: [] };
    for (const { type, name } of of.fields) fields.set(name, this.#item(type));
    return { of, fields, extra: of.flags & SC.WRITE_METHOD ? this.#annotation() : [] };
  }

  #array(): JavaArray {
    const described = this.#described();
    const array: JavaArray = { kind: 'array', class: described, items: [] };
    this.#handles.push(array);
    const type = described.name.charAt(1);
    const bytes = described.name.startsWith('[') ? ITEM_BYTES[type] : undefined;
    if (bytes === undefined) throw malformed('has an array of an unknown type');
    const length = this.#input.i32();
    if (length < 0 || length > this.#input.left / bytes) throw malformed('has a length beyond its end');
    this.#count(length);
    const items: JavaValue[] = [];
    array.items = items;
    for (let i = 0; i < length; i++) items.push(this.#item(type));
    return array;
  }

  #enum(): JavaEnum {
    const value: JavaEnum = { kind: 'enum', class: this.#described(), constant: '' };
    this.#handles.push(value);
    value.constant = this.#textObject();
    return value;
  }

  #item(type: string): JavaValue {
    switch (type) {
      case 'B':
        return this.#input.i8();
      case 'C':
        return String.fromCharCode(this.#input.u16());
      case 'D':
        return this.#input.f64();
      case 'F':
        return this.#input.f32();
      case 'I':
        return this.#input.i32();
      case 'J':
        return this.#input.i64();
      case 'S':
        return this.#input.i16();
      case 'Z':
        return this.#input.u8() !== 0;
      default:
        return this.#object();
    }
  }

  /** What stands before a TC_ENDBLOCKDATA: runs of bytes, neighbours joined, and objects. */
  #annotation(): (JavaValue | Buffer)[] {
    const contents: (JavaValue | Buffer)[] = [];
    let run: Buffer[] = [];
    const finish = (): void => {
      if (run.length > 0) contents.push(run.length === 1 ? (run[0] as Buffer) : Buffer.concat(run));
      run = [];
    };
    for (;;) {
      const content = this.#content();
      if (content === END) break;
      if (Buffer.isBuffer(content)) run.push(content);
      else {
        finish();
        contents.push(content);
      }
    }
    finish();
    return contents;
  }

  #content(): JavaValue | Buffer | typeof END {
    const code = this.#input.peek();
    if (isNewObject(code)) return this.#object();
    this.#count(1);
    this.#input.u8();
    switch (code) {
      case TC.ENDBLOCKDATA:
        return END;
      case TC.BLOCKDATA:
        return this.#input.take(this.#input.u8());
      case TC.BLOCKDATALONG: {
        const length = this.#input.i32();
        if (length < 0) throw malformed('has a length beyond its end');
        return this.#input.take(length);
      }
      default:
        throw malformed(code === TC.RESET ? 'starts again within an object' : 'has an unknown type code');
    }
  }
}

function malformed(does: string): StructureFault {
  return new StructureFault('malformed', `the Java stream ${does}`);
}
