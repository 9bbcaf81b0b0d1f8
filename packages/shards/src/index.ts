export { SLOT_COUNT, slotOf } from './slot.ts';
