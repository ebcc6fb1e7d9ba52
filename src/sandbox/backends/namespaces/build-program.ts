import { quoteCommand } from '../../shell-quote.js'
import { initDescriptors, readyLine } from './init-script.js'

/** System calls that have no function in Perl. */
const CALLS: Partial<Record<string, readonly number[]>> = {
  // mount, umount2, pivot_root, sendmsg, sethostname
  x64: [165, 166, 155, 46, 170],
  arm64: [40, 39, 41, 211, 161],
}

/**
 * The first part of the script of PID 1, as formatInitScript, but with one program that does the work of some twenty. The steps
 * come over a pipe of their own while it already runs, and the sockets go back over the IPC channel.
 *
 * @param architecture process.arch
 * @param perl path of Perl
 * @returns null if the processor is unknown
 */
export function formatBuildScript(architecture: string, perl: string): string | null {
  const calls = CALLS[architecture]
  if (calls === undefined) return null
  const { channel, steps } = initDescriptors
  const words = [...calls, channel, steps].map(String)
  return `set -eu
umask 022
${quoteCommand([perl, '-e', PROGRAM, ...words])} </dev/null >&2
exec ${String(channel)}>&- ${String(steps)}>&-
cd /
echo ${readyLine}
`
}

/**
 * Does what it reads (BuildStep), one step after another, and ends with the first that fails. A socket is sent as Node's own
 * processes send theirs: a message of JSON that has it as ancillary data, acknowledged before the next. The numbers are
 * AF_INET 2, SOCK_STREAM 1, SOCK_DGRAM 2, SOL_SOCKET 1, SO_REUSEADDR 2, SCM_RIGHTS 1, O_WRONLY 1, O_CREAT 64, O_TRUNC 512,
 * SIOCSIFFLAGS 0x8914, SIOCSIFADDR 0x8916 and SIOCSIFNETMASK 0x891c; 192.0.2.1 is LOOPBACK_ADDRESS.
 */
const PROGRAM = String.raw`use strict;
my ($mount, $unmount, $pivot, $sendmsg, $sethostname, $channel, $steps) = map { 0 + $_ } @ARGV;
sub failed { print STDERR "@_: $!\n"; exit 1 }
open(my $from, "<&=", $steps) or failed("steps");
open(my $node, "+<&=", $channel) or failed("channel");
sub take {
  my ($wanted) = @_;
  my $bytes = "";
  while (length($bytes) < $wanted) {
    sysread($from, $bytes, $wanted - length($bytes), length($bytes)) or failed("the gateway has gone");
  }
  return $bytes;
}
my %there = ("" => 1);
sub parents {
  my ($path) = @_;
  my $above = $path =~ s{/[^/]*$}{}r;
  return if $there{$above};
  parents($above);
  -d $above or mkdir($above, 0755) or failed("mkdir $above");
  $there{$above} = 1;
}
sub message {
  my ($text, $socket) = @_;
  my $vector = pack("P Q", $text, length($text));
  my $control = pack("Q I I i x4", 20, 1, 1, fileno($socket));
  my $header = pack("Q I x4 P Q P Q I x4", 0, 0, $vector, 1, $control, 24, 0);
  syscall($sendmsg, $channel, $header, 0) == length($text) or failed("could not open the gateway sockets: sendmsg");
  my $answer = "";
  until ($answer =~ /\n/) { sysread($node, $answer, 4096, length($answer)) or failed("the gateway has gone") }
  $answer =~ /NODE_HANDLE_ACK/ or failed("could not open the gateway sockets: not accepted");
}
my %do = (
  directory => sub {
    my ($path, $mode) = @_;
    parents($path);
    -d $path or mkdir($path) or failed("mkdir $path");
    chmod(oct($mode), $path) or failed("chmod $path");
  },
  link => sub {
    my ($path, $target) = @_;
    parents($path);
    lstat($path) or symlink($target, $path) or failed("symlink $path");
  },
  file => sub {
    my ($path, $mode, $content) = @_;
    parents($path);
    sysopen(my $file, $path, 577, oct($mode)) or failed("open $path");
    print $file $content and close($file) or failed("write $path");
  },
  mount => sub {
    my ($source, $target, $type, $flags, $data) = @_;
    syscall($mount, $source, $target, $type, 0 + $flags, $data eq "" ? 0 : $data) == 0 or failed("mount $target");
  },
  unmount => sub {
    my ($path, $flags) = @_;
    syscall($unmount, $path, 0 + $flags) == 0 or failed("umount $path");
  },
  loopback => sub {
    socket(my $socket, 2, 2, 0) or failed("cannot enable the loopback interface");
    my $up = pack("a16 s x22", "lo", 0x49);
    my ($address, $mask) = map { pack("a16 S n N x16", "lo:1", 2, 0, $_) } 0xc0000201, 0xffffffff;
    ioctl($socket, 0x8914, $up) or failed("cannot enable the loopback interface");
    ioctl($socket, 0x8916, $address) && ioctl($socket, 0x891c, $mask) or failed("cannot set the address of the loopback interface");
  },
  listen => sub {
    my ($name, $kind, $port) = @_;
    my $sorry = "could not open the gateway sockets: port $port";
    socket(my $socket, 2, $kind eq "tcp" ? 1 : 2, 0) or failed($sorry);
    setsockopt($socket, 1, 2, pack("i", 1)) or failed($sorry) if $kind eq "tcp";
    bind($socket, pack("S n C4 x8", 2, $port, 127, 0, 0, 1)) or failed($sorry);
    listen($socket, 511) or failed($sorry) if $kind eq "tcp";
    my $type = $kind eq "tcp" ? '"net.Server"' : '"dgram.Socket","dgramType":"udp4"';
    message("{\"cmd\":\"NODE_HANDLE\",\"type\":$type,\"msg\":{\"socket\":\"$name\"}}\n", $socket);
  },
  write => sub {
    my ($path, $text) = @_;
    sysopen(my $file, $path, 1) or failed("open $path");
    syswrite($file, $text) == length($text) or failed("write $path");
  },
  remove => sub { my ($path) = @_; rmdir($path) or failed("rmdir $path") },
  enter => sub { my ($path) = @_; chdir($path) or failed("chdir $path") },
  pivot => sub { my ($new, $old) = @_; syscall($pivot, $new, $old) == 0 or failed("pivot_root") },
  # A name of the host's own is not worth failing for.
  hostname => sub { my ($name) = @_; syscall($sethostname, $name, length($name)) },
);
while (my $length = unpack("N", take(4))) {
  my ($step, @words) = unpack("(N/a*)*", take($length));
  $do{$step}->(@words);
}
`
