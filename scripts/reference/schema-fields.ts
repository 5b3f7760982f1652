/** A schema's fields in words, for tables. */
import { z } from 'zod';

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

const FORMATS: Readonly<Record<string, string>> = { cidrv4: 'IPv4 network', ipv4: 'IPv4 address' };

export interface Field {
  /** `network.cidr`. */
  readonly name: string;
  readonly type: string;
  /** As a user would write it; undefined where there is none. */
  readonly defaultText: string | undefined;
  readonly required: boolean;
  readonly description: string;
}

interface FieldOptions {
  /** `spread`: the fields of objects in a list too, named `list[].field`. */
  readonly lists: 'whole' | 'spread';
}

/** Every field of an object schema as a client writes it; objects within are spread out, and named with dots. */
export function fieldsOf(schema: z.ZodType, options: FieldOptions = { lists: 'whole' }): readonly Field[] {
  return spread(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, '', options);
}

function spread(schema: JsonSchema, prefix: string, options: FieldOptions): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const name = prefix + key;
    if (field.properties) return spread(field, `${name}.`, options);
    if (field.items?.properties && options.lists === 'spread') return spread(field.items, `${name}[].`, options);
    return [
      {
        name,
        type: typeOf(field),
        defaultText: field.default === undefined ? undefined : JSON.stringify(field.default),
        required: schema.required?.includes(key) ?? false,
        description: field.description ?? '',
      },
    ];
  });
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'values'}`;
  const type = FORMATS[schema.format ?? ''] ?? String(schema.type ?? 'value');
  return schema.type === 'integer' || schema.type === 'number' ? `${type}${boundsOf(schema)}` : type;
}

/** JSON Schema's own bounds of an integer say nothing: they are what a double can hold. */
function boundsOf({ minimum, maximum }: JsonSchema): string {
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? `from ${minimum}` : '';
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? `to ${maximum}` : '';
  const bounds = [low, high].filter((bound) => bound !== '').join(' ');
  return bounds ? `, ${bounds}` : '';
}
