/** The words of `docker` that print a line for each container of a gateway that starts. */
export function gatewayStarts(project: string): string[] {
  return [
    ...['events', '--filter', 'type=container', '--filter', 'event=start'],
    ...['--filter', 'label=io.egress.role', '--filter', `label=com.docker.compose.project=${project}`],
    ...['--format', '{{.Actor.ID}}'],
  ]
}
