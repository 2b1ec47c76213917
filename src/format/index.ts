export { type CatalogueEntry, type CataloguePage, decodePage, encodePage } from './catalogue-format.js';
export { type ChunkEntry, type ChunkTable, entriesOf, idBytes } from './chunk-table.js';
export {
  type Content,
  checkIdPage,
  chunkBytes,
  chunkLengths,
  decodeContent,
  encodeFacts,
  encodeIdPages,
  type FileContent,
  type OptimizerSettings,
  type StreamContent,
  streamBytes,
} from './content-format.js';
export { decodeSource, footerSource, isFooterSource, placeOfSource, sourceKey } from './index-source.js';
export {
  assertTensorFits,
  type Box,
  type Chunking,
  decodeLayout,
  encodeLayout,
  type FileLayout,
  type FilePiece,
  type Layout,
  type StreamLayout,
  type TensorLayout,
} from './layout-format.js';
export { decodeLease, encodeLease, type Lease } from './lease-format.js';
export * as limits from './limits.js';
export {
  checksumBytes,
  decodeManifest,
  encodeManifest,
  equalBytes,
  type Manifest,
  type OpenedManifest,
  openSection,
  type PackedSection,
  packSection,
  type SectionReference,
} from './manifest-format.js';
export {
  assertRunName,
  attemptOf,
  CONFIG_KEY,
  isObjectName,
  isRunName,
  OBJECT_KINDS,
  type ObjectKind,
  objectKey,
  ROOT_KEY,
} from './object-names.js';
export {
  checkPackHeader,
  decodeFooterCopy,
  decodePackFooter,
  decodePackTrailer,
  decodeRecordsStart,
  encodePackEnd,
  encodePackFront,
  PACK_HEAD_BYTES,
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
  packHeader,
} from './pack-format.js';
export {
  decodeRoot,
  emptyRoot,
  encodeRoot,
  type Mark,
  type PageReference,
  type Root,
  type RunRecord,
} from './root-format.js';
export { decodeSegment, encodeSegment } from './segment-format.js';
export { decodeStoreConfig, encodeStoreConfig, isChunkElements, type StoreConfig } from './store-config.js';
