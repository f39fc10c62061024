# The configuration in a database, for fakes that were installed with access to one.
use strict;
use warnings;
use IPC::Open2 qw(open2);

our ($CONFIG, $DATA);

sub has_store { return -e "$DATA/store-command" }

# Runs the command that reads ("read") or writes ("write", with the text) the active configuration.
sub store {
  my ($action, $text) = @_;
  my @command = split /\n/, read_file("$DATA/store-command");
  local $ENV{FAKE_STORE_SOURCE} = $CONFIG;
  my $pid = open2(my $out, my $in, @command, $action);
  print $in $text if defined $text;
  close $in;
  my $answer = do { local $/; <$out> } // '';
  waitpid $pid, 0;
  die "the store failed\n" if $?;
  return $answer;
}

1;
