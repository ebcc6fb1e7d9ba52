/** System calls of the program below that have no function in Perl. */
const CALLS: Partial<Record<string, { setns: number; mount: number; fchdir: number; directory: number }>> = {
  x64: { setns: 308, mount: 165, fchdir: 81, directory: 0x10000 },
  arm64: { setns: 268, mount: 40, fchdir: 50, directory: 0x4000 },
}

export interface MaskProgramInput {
  /** process.arch */
  architecture: string
  /** path of Perl, null if it is not installed */
  perl: string | null
  /** path inside of what is mounted over hidden files and directories; a directory of '' gets a new, empty file system */
  empty: { file: string; directory: string }
}

/**
 * A command that hides paths in the mount namespace of a running sandbox. It reads a line with the id of one of the sandbox's
 * processes, joins its namespaces and answers `ready`. Then it reads lines `mask HEX [SOURCE]` and `protect HEX` (the
 * bytes of a path in hexadecimal; SOURCE is the file to show instead) and answers each with `ok HEX`, `gone HEX` or `failed HEX REASON`.
 *
 * It runs no other program after it has joined the sandbox, since that would be one of the sandbox's files. It belongs to the
 * host's process namespace, so that the agent can neither see nor signal it. It follows no symbolic link in the directory of a
 * path: the agent may exchange directories while it works.
 *
 * @returns null if there is no Perl, or if the processor is unknown
 */
export function maskCommand({ architecture, perl, empty }: MaskProgramInput): string[] | null {
  const calls = CALLS[architecture]
  if (perl === null || calls === undefined) return null
  const { setns, mount, fchdir, directory } = calls
  return [perl, '-e', PROGRAM, ...[setns, mount, fchdir, directory].map(String), empty.file, empty.directory]
}

/** MS_RDONLY 1, MS_NOSUID 2, MS_NODEV 4, MS_NOEXEC 8, MS_REMOUNT 32, MS_BIND 4096, MS_REC 16384; O_PATH 0x200000. */
const PROGRAM = `use strict; $| = 1;
my ($setns, $mount, $fchdir, $directory, $file, $empty) = @ARGV;
use Errno;
{ my $load = $!{ENOENT} }
my $pid = <STDIN>;
defined $pid or exit;
chomp $pid;
my @spaces = map { open(my $f, "<", "/proc/$pid/ns/$_") or die "$_: $!\\n"; $f } qw(user mnt);
syscall($setns, fileno($spaces[0]), 0);
syscall($setns, fileno($spaces[1]), 0) == 0 or die "setns: $!\\n";
sub bind_over { my ($from, $to, $flags) = @_; my $type = "none"; return syscall($mount, $from, $to, $type, 4096 | $flags, 0) == 0 }
sub mask {
  my ($how, $path, $shown) = @_;
  my ($above, $name) = $path =~ m{^(.*)/([^/]+)$}s or return "failed";
  $above = "/" if $above eq "";
  my $open = pack("QQQ", 0x200000 | $directory, 0, 4);
  my $fd = syscall(437, -100, $above, $open, 24);
  if ($fd >= 0) {
    my $entered = syscall($fchdir, $fd);
    open(my $close, "<&=", $fd); close($close);
    return "gone" if $entered != 0;
  } elsif ($!{ENOSYS}) { chdir($above) or return "gone" } else { return $!{ENOENT} || $!{ENOTDIR} || $!{ELOOP} ? "gone" : "failed $!" }
  my $to = "./$name";
  my @found = lstat($to) or return "gone";
  return "gone" if -l _;
  my $is_directory = -d _;
  if ($how eq "protect") {
    bind_over($to, $to, 16384) or return "failed $!";
    my ($none, $type) = ("none", "none");
    for my $flags (7, 15) { return "ok" if syscall($mount, $none, $to, $type, 4096 | 32 | $flags, 0) == 0 }
    return "failed $!";
  }
  if ($is_directory && $empty eq "") {
    my @above = stat(".");
    return "ok" if $found[0] != $above[0];
    my ($type, $options) = ("tmpfs", "size=4k,mode=0555");
    return syscall($mount, $type, $to, $type, 7 | 8, $options) == 0 ? "ok" : "failed $!";
  }
  my $from = $shown ne "" && !$is_directory ? $shown : $is_directory ? $empty : $file;
  my @over = lstat($from) or return "failed $!";
  return "ok" if $found[0] == $over[0];
  return bind_over($from, $to, 0) ? "ok" : "failed $!";
}
print "ready\\n";
while (my $line = <STDIN>) {
  my ($how, $hex, $shown) = split " ", $line;
  print mask($how, pack("H*", $hex), pack("H*", $shown // "")) =~ s/^(\\w+)/$1 $hex/r, "\\n";
}
`
