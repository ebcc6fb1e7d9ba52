import { aider } from './aider.js'
import { claude } from './claude.js'
import { codex } from './codex.js'
import { gemini } from './gemini.js'
import type { AgentRecipe } from './recipe.js'

/** Every agent that egress knows, in the order in which they are listed. */
export const AGENTS: readonly AgentRecipe[] = [claude, codex, gemini, aider]

/** Null for a program that is not a known agent. */
export function findRecipe(name: string): AgentRecipe | null {
  return AGENTS.find((agent) => agent.name === name) ?? null
}
