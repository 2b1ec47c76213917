export { type Nest, readNest, rebuild } from './rebuild.js';
export type { ByteInput, ByteOutput } from './streams.js';
export { type Unpacked, unpack } from './unpack.js';
export {
  FORM_HEADER_BYTES,
  FORM_TRAILER_BYTES,
  isUnpackedForm,
  placeOfScript,
  type UnpackedPart,
  unpackedParts,
} from './unpacked-form.js';
