export { DTYPES, type DType, type DTypeInfo, dtypeById, dtypeInfo, isDType } from './dtype.js';
