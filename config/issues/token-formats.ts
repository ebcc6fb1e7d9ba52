import type { PlaceholderFormat } from '#firewall/contracts/service.js'

/**
 * Prefixes that issuers give to all of their tokens, with the usual length of the whole token. Longer prefixes come before the
 * shorter ones that they begin with.
 */
export const TOKEN_FORMATS: readonly PlaceholderFormat[] = [
  // GitHub
  { prefix: 'github_pat_', length: 93, alphabet: 'alphanumeric' },
  { prefix: 'ghp_', length: 40, alphabet: 'alphanumeric' },
  { prefix: 'gho_', length: 40, alphabet: 'alphanumeric' },
  { prefix: 'ghu_', length: 40, alphabet: 'alphanumeric' },
  { prefix: 'ghs_', length: 40, alphabet: 'alphanumeric' },
  { prefix: 'ghr_', length: 40, alphabet: 'alphanumeric' },
  // GitLab
  { prefix: 'glpat-', length: 26, alphabet: 'alphanumeric' },
  { prefix: 'gldt-', length: 25, alphabet: 'alphanumeric' },
  { prefix: 'glptt-', length: 46, alphabet: 'hex' },
  // Model providers
  { prefix: 'sk-ant-api03-', length: 108, alphabet: 'alphanumeric' },
  { prefix: 'sk-ant-oat01-', length: 108, alphabet: 'alphanumeric' },
  { prefix: 'sk-ant-', length: 108, alphabet: 'alphanumeric' },
  { prefix: 'sk-or-v1-', length: 73, alphabet: 'hex' },
  { prefix: 'sk-svcacct-', length: 164, alphabet: 'alphanumeric' },
  { prefix: 'sk-proj-', length: 164, alphabet: 'alphanumeric' },
  { prefix: 'sk-', length: 51, alphabet: 'alphanumeric' },
  { prefix: 'AIza', length: 39, alphabet: 'alphanumeric' },
  { prefix: 'gsk_', length: 56, alphabet: 'alphanumeric' },
  { prefix: 'hf_', length: 37, alphabet: 'alphanumeric' },
  { prefix: 'r8_', length: 40, alphabet: 'alphanumeric' },
  // AWS
  { prefix: 'AKIA', length: 20, alphabet: 'upper-alphanumeric' },
  { prefix: 'ASIA', length: 20, alphabet: 'upper-alphanumeric' },
  // Slack
  { prefix: 'xoxb-', length: 56, alphabet: 'alphanumeric' },
  { prefix: 'xoxp-', length: 76, alphabet: 'alphanumeric' },
  { prefix: 'xapp-', length: 96, alphabet: 'alphanumeric' },
  // Atlassian: every API token begins with the same twelve characters.
  { prefix: 'ATATT3xFfGF0', length: 192, alphabet: 'alphanumeric' },
  { prefix: 'ATATT', length: 192, alphabet: 'alphanumeric' },
  { prefix: 'ATCTT', length: 192, alphabet: 'alphanumeric' },
  // Package registries
  { prefix: 'npm_', length: 40, alphabet: 'alphanumeric' },
  { prefix: 'pypi-', length: 180, alphabet: 'alphanumeric' },
  { prefix: 'rubygems_', length: 57, alphabet: 'hex' },
  { prefix: 'dckr_pat_', length: 36, alphabet: 'alphanumeric' },
  // Others
  { prefix: 'sk_live_', length: 32, alphabet: 'alphanumeric' },
  { prefix: 'sk_test_', length: 32, alphabet: 'alphanumeric' },
  { prefix: 'rk_live_', length: 32, alphabet: 'alphanumeric' },
  { prefix: 'SG.', length: 69, alphabet: 'alphanumeric' },
  { prefix: 'glsa_', length: 46, alphabet: 'alphanumeric' },
  { prefix: 'dop_v1_', length: 71, alphabet: 'hex' },
  { prefix: 'lin_api_', length: 48, alphabet: 'alphanumeric' },
  { prefix: 'ntn_', length: 50, alphabet: 'alphanumeric' },
  { prefix: 'shpat_', length: 38, alphabet: 'hex' },
  { prefix: 'dapi', length: 36, alphabet: 'hex' },
]
