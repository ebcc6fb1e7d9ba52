/** A change that no test notices, and why that is right. */
export interface Accepted {
  readonly file: string
  /** The source before and after the change, as the report prints them. */
  readonly from: string
  readonly to: string
  readonly reason: string
}

/** Metadata services whose addresses are also in a range that is refused as a whole. */
const METADATA_IN_A_RANGE = ['169.254.169.254', '169.254.170.2', '169.254.170.23', '192.0.0.192']

export const ACCEPTED: readonly Accepted[] = METADATA_IN_A_RANGE.map((address) => ({
  file: 'firewall/addresses/address.ts',
  from: `'${address}'`,
  to: '""',
  reason: 'The range of the address is refused without this line; the list stays whole for its readers.',
}))
