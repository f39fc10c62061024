# Looks for the database as a server of the release does: it only connects.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 AF_UNIX SOCK_STREAM getaddrinfo getnameinfo pack_sockaddr_un NI_NUMERICHOST NI_NUMERICSERV);

# Parameters of a data source that are no unknown ones to the driver and its database.
my %KNOWN = map { $_ => 1 } qw(
  host port user password dbname sslmode sslcert sslkey sslrootcert sslinline sslsni sslpassword connect_timeout
  application_name fallback_application_name client_encoding datestyle timezone options search_path passfile
  binary_parameters krbsrvname krbspn disable_prepared_binary_result target_session_attrs statement_timeout
  lock_timeout idle_in_transaction_session_timeout default_transaction_read_only extra_float_digits work_mem role
  charset collation timeout readtimeout writetimeout parsetime loc tls multistatements interpolateparams
  allownativepasswords allowcleartextpasswords allowoldpasswords allowallfiles checkconnliveness clientfoundrows
  columnswithalias maxallowedpacket rejectreadonly serverpubkey tx_read_only transaction_isolation sql_mode
  wait_timeout time_zone
);

# Returns nothing if something accepts a connection; otherwise the driver's error.
sub probe {
  my ($driver, $source) = @_;
  my ($target, $error) = target($driver, $source);
  return $error if defined $error;
  $error = dial(@$target{qw(network address port)});
  return $error if defined $error;
  my ($unknown) = grep { !$KNOWN{lc $_} } @{ $target->{parameters} };
  return if !defined $unknown;
  # Only after a login would the database say something to the parameter.
  print STDERR "A fake Mattermost does not log in\n";
  exit 3;
}

# Where a data source leads, or the driver's error.
sub target {
  my ($driver, $source) = @_;
  return $driver eq 'mysql' ? mysql_target($source) : postgres_target($source);
}

sub mysql_target {
  my ($source) = @_;
  my $slash = rindex $source, '/';
  return undef, 'invalid DSN: missing the slash separating the database name' if $slash < 0 && $source ne '';
  my ($left, $right) = $slash < 0 ? ('', '') : (substr($source, 0, $slash), substr $source, $slash + 1);
  my $at = rindex $left, '@';
  my $place = $at < 0 ? $left : substr $left, $at + 1;
  my @parameters = $right =~ /[?&]([^=&]+)=/g;
  my ($network, $address) = $place =~ /^([^(]*)\((.*)\)$/ ? ($1, $2) : ($place, '');
  $network = 'tcp' if $network eq '';
  return undef, (before('4.0.0') ? 'D' : 'd') . "efault addr for network '$network' unknown"
    if $address eq '' && $network ne 'tcp' && $network ne 'unix';
  return { network => 'unix', address => $address || '/tmp/mysql.sock', parameters => \@parameters } if $network eq 'unix';
  my ($host, $port) = ($address || '127.0.0.1:3306') =~ /^\[?(.*?)\]?(?::(\d+))?$/;
  return { network => 'tcp', address => $host, port => $port // 3306, parameters => \@parameters };
}

sub postgres_target {
  my ($source) = @_;
  my %option = (host => $ENV{PGHOST} // 'localhost', port => $ENV{PGPORT} // 5432);
  $option{user} = $ENV{PGUSER} if defined $ENV{PGUSER};
  if ($source =~ m{^postgres(?:ql)?://([^/?]*)(?:/([^?]*))?(?:\?(.*))?$}) {
    my ($authority, $query) = ($1, $3 // '');
    return undef, qq(parse "$source": invalid URL escape "$1") if $source =~ /(%(?![0-9A-Fa-f]{2}).{0,2})/;
    my ($user, $place) = $authority =~ /^(?:(.*)@)?(.*)$/;
    $option{user} = $user if defined $user;
    my ($host, $port) = $place =~ /^(\[.*\]|[^:]*)(?::(\d*))?$/;
    return undef, qq(parse "$source": invalid port ) . ($place =~ /(:.*)/ ? qq("$1") : '""') . ' after host' unless defined $host;
    $host =~ s/^\[(.*)\]$/$1/;
    $option{host} = $host if $host ne '';
    $option{port} = $port if defined $port && $port ne '';
    for (split /&/, $query) {
      my ($name, $value) = split /=/, $_, 2;
      $value //= '';
      $value =~ tr/+/ /;
      $value =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
      $option{$name} = $value;
    }
  } else {
    $option{$1} = $2 =~ s/^'(.*)'$/$1/r while $source =~ /\G\s*([^\s=]+)\s*=\s*('[^']*'|\S*)/gc;
  }
  $option{user} //= ($ENV{FAKE_NAMELESS} ? undef : getpwuid($<)) // $ENV{USER};
  return undef, 'pq: Could not detect default username. Please provide one explicitly' . (before('4.0.0') ? '.' : '')
    unless defined $option{user};
  my %place = $option{host} =~ m{^/}
    ? (network => 'unix', address => "$option{host}/.s.PGSQL.$option{port}")
    : (network => 'tcp', address => $option{host}, port => $option{port});
  return { %place, parameters => [keys %option] };
}

# Connects, and returns an error in Go's words.
sub dial {
  my ($network, $address, $port) = @_;
  if ($network eq 'unix') {
    return "dial unix $address: connect: invalid argument" if length $address > 107;
    return connect_to(AF_UNIX, pack_sockaddr_un($address), "unix $address");
  }
  my ($failure, @found) = getaddrinfo($address, $port, { socktype => SOCK_STREAM });
  return "dial tcp: lookup $address: no such host" if $failure;
  my $error;
  for (@found) {
    my ($problem, $host) = getnameinfo($_->{addr}, NI_NUMERICHOST | NI_NUMERICSERV);
    my $shown = $_->{family} == AF_INET6 ? "[$host]" : $host;
    $error = connect_to($_->{family}, $_->{addr}, "tcp $shown:$port");
    return unless defined $error;
  }
  return $error;
}

sub connect_to {
  my ($family, $address, $shown) = @_;
  socket my $socket, $family, SOCK_STREAM, 0 or return "dial $shown: socket: " . lc "$!";
  local $SIG{ALRM} = sub { die "timeout\n" };
  alarm 10;
  my $is_connected = eval { connect $socket, $address };
  my $error = $@ ? 'i/o timeout' : 'connect: ' . lc "$!";
  alarm 0;
  return $is_connected ? undef : "dial $shown: $error";
}

# A data source without name and password, as the release shows it.
sub shown_source {
  my ($driver, $source) = @_;
  if ($driver eq 'mysql') {
    $source =~ s/^.*@/****:****@/ if before('10.0.0') || $source =~ /@/;
    return $source;
  }
  return $source unless $source =~ m{^(\w+://)(?:[^/@]*@)?(.*)$};
  my ($scheme, $rest) = ($1, $2);
  return "$scheme****:****\@$rest" unless before('10.0.0');
  my ($path, $query) = split /\?/, $rest, 2;
  $query =~ s{/}{%2F}g if defined $query;
  return "$scheme%2A%2A%2A%2A:%2A%2A%2A%2A\@$path" . (defined $query ? "?$query" : '');
}

1;
