#!/usr/bin/perl
# Joins a TAP of one network namespace to a TAP of another: what QEMU and the guest's driver do together.
#
#   tap-wire.pl hold TAP PROGRAM...   opens the TAP and becomes the program, which inherits it as descriptor $WIRE_FD
#   tap-wire.pl pump DEVICE           makes DEVICE in the namespace it runs in, then passes frames in the background
use strict;
use warnings;

use constant { TUNSETIFF => 0x400454ca, IFF_TAP => 0x0002, IFF_NO_PI => 0x1000, MAX_FRAME => 65_600 };

# Descriptors up to this one are passed on by exec.
$^F = 64;

sub open_tap {
    my ($name) = @_;
    open(my $tap, '+<', '/dev/net/tun') or die "/dev/net/tun: $!\n";
    my $request = pack('a16 S x22', $name, IFF_TAP | IFF_NO_PI);
    ioctl($tap, TUNSETIFF, $request) or die "TAP $name: $!\n";
    return $tap;
}

my ($verb, $name, @program) = @ARGV;
if ($verb eq 'hold') {
    my $tap = open_tap($name);
    $ENV{WIRE_FD} = fileno($tap);
    exec { $program[0] } @program or die "$program[0]: $!\n";
}

open(my $far, '+<&=', $ENV{WIRE_FD}) or die "descriptor $ENV{WIRE_FD}: $!\n";
my $near = open_tap($name);
my $child = fork() // die "fork: $!\n";
exit 0 if $child;
my %other = (fileno($far) => $near, fileno($near) => $far);
my $watched = '';
vec($watched, $_, 1) = 1 for keys %other;
while (select(my $ready = $watched, undef, undef, undef) > 0) {
    for my $from ($far, $near) {
        next unless vec($ready, fileno($from), 1);
        # The far TAP is taken away when the machine is given up.
        my $size = sysread($from, my $frame, MAX_FRAME) or exit 0;
        # A device that is down takes no frames, and loses them as a cable would.
        syswrite($other{ fileno($from) }, $frame, $size);
    }
}
