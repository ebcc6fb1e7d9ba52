/** What listens on ports that neither TLS nor HTTP is usual on. */
const PROTOCOLS: Readonly<Record<number, string>> = {
  21: 'FTP',
  22: 'SSH',
  23: 'Telnet',
  25: 'SMTP',
  53: 'DNS',
  110: 'POP3',
  119: 'NNTP',
  143: 'IMAP',
  389: 'LDAP',
  445: 'SMB',
  587: 'SMTP',
  1433: 'SQL Server',
  1521: 'Oracle',
  1883: 'MQTT',
  2049: 'NFS',
  3306: 'MySQL',
  3389: 'RDP',
  5432: 'PostgreSQL',
  5672: 'AMQP',
  5900: 'VNC',
  6379: 'Redis',
  9092: 'Kafka',
  9418: 'git',
  11211: 'Memcached',
  27017: 'MongoDB',
}

/** The protocol of a port that is neither TLS nor HTTP; null for all others. */
export function foreignProtocolOf(port: number): string | null {
  return PROTOCOLS[port] ?? null
}
