# The HTTP endpoints of the fake Mattermost.
use strict;
use warnings;
use Cwd qw(getcwd);
use IO::Select;
use IO::Socket::INET;

our ($ANSWERS, $CONFIG);

my $BODY_LIMIT = 100 * 1024 * 1024;

# Listens until SIGTERM or SIGINT.
sub serve {
  my $address = setting('ServiceSettings.ListenAddress', ':8065');
  my ($host, $port) = $address =~ /^\[?([^\]]*?)\]?:(\d+)$/;
  my $listener = IO::Socket::INET->new(
    LocalAddr => $host || '0.0.0.0',
    LocalPort => $port,
    Listen => 128,
    ReuseAddr => 1,
  );
  if (!$listener) {
    say_log('error', "Error starting server, err: listen tcp $address: bind: " . lc "$!");
    # Old servers stay alive without a port.
    sleep 3600 while before('4.0.0');
    POSIX::_exit(1);
  }
  my $stopping = 0;
  my $hung = 0;
  local $SIG{TERM} = local $SIG{INT} = sub { $stopping = 1 };
  local $SIG{USR1} = sub { $hung = 1 };
  local $SIG{PIPE} = 'IGNORE';
  my $started = time;
  say_log('info', "Server is listening on $address");
  my $select = IO::Select->new($listener);
  my %clients;
  until ($stopping) {
    if ($hung) { select undef, undef, undef, 0.1; next }
    for my $ready ($select->can_read(0.2)) {
      if ($ready == $listener) {
        my $socket = $listener->accept or next;
        $select->add($socket);
        $clients{$socket} = { socket => $socket, head => '', left => undef, open => 1 };
        next;
      }
      my $client = $clients{$ready};
      next if feed($client);
      $select->remove($ready);
      delete $clients{$ready};
      close $ready;
    }
  }
  close $listener;
  # A job of the real one sleeps for the first 15 s.
  say_log('info', 'Stopping Server...');
  my $is_slow = $ENV{FAKE_SLOW_STOP} && !before('5.37.0');
  sleep 1 while $is_slow && time < $started + 14;
  say_log('info', 'Server stopped');
  exit 0;
}

# Reads from a client; returns false when the connection is to be closed.
sub feed {
  my ($client) = @_;
  my $read = sysread $client->{socket}, my $bytes, 65536;
  return 0 unless $read;
  return 1 if $client->{websocket};
  if (defined $client->{left}) {
    $client->{left} -= length $bytes;
  } else {
    $client->{head} .= $bytes;
    return length $client->{head} < 65536 unless $client->{head} =~ s/\r?\n\r?\n(.*)\z//s;
    my $body = length $1;
    my $length = $client->{head} =~ /^content-length:\s*(\d+)/im ? $1 : 0;
    $client->{size} = $length;
    $client->{left} = $length - $body;
    if ($length > $BODY_LIMIT) { answer($client, 413, '{"message":"too large"}'); return 0 }
    if ($client->{head} =~ /^expect:\s*100-continue/im) {
      send_all($client->{socket}, "HTTP/1.1 100 Continue\r\n\r\n");
    }
  }
  return 1 if $client->{left} > 0;
  my $keep = respond($client);
  @$client{qw(head left)} = ('', undef);
  return $keep;
}

sub respond {
  my ($client) = @_;
  my ($method, $target) = $client->{head} =~ m{^(\w+) (\S+) HTTP/1\.[01]} or return 0;
  my ($path, $query) = split /\?/, $target, 2;
  # If the site URL has a sub-path, all paths start with it.
  my ($prefix) = setting('ServiceSettings.SiteURL', '') =~ m{^\w+://[^/]+(/.*?)/?$};
  $path =~ s{^\Q$prefix\E(?=/|$)}{} if $prefix;
  $query //= '';
  return websocket($client) if $path eq '/api/v4/websocket';
  return answer($client, 200, ping($query)) if $path eq '/api/v4/system/ping';
  return answer($client, 200, whoami($client)) if $path eq '/fake/whoami';
  return upload($client) if $path eq '/api/v4/files' && $method eq 'POST';
  return answer($client, 200, page(), 'text/html; charset=utf-8') if $path =~ m{^/?$};
  return answer($client, 404, '{"status_code":404}');
}

sub upload {
  my ($client) = @_;
  my $limit = setting('FileSettings.MaxFileSize', 104857600);
  return answer($client, 413, '{"message":"too large"}') if $client->{size} > $limit;
  return answer($client, 201, qq({"file_infos":[{"size":$client->{size}}]}));
}

sub ping {
  my ($query) = @_;
  my %reply = (status => 'OK', ActiveSearchBackend => 'database');
  if ($query =~ /(?:^|&)get_server_status=true(?:&|$)/) {
    $reply{database_status} = database_answers() ? 'OK' : 'UNHEALTHY';
    my $directory = setting('FileSettings.Directory', './data/');
    my $local = setting('FileSettings.DriverName', 'local') eq 'local';
    $reply{filestore_status} = !$local || -w $directory ? 'OK' : 'UNHEALTHY';
  }
  return json_object(\%reply);
}

# Whether something accepts a connection where the database should be.
sub database_answers {
  return !defined probe(database());
}

sub whoami {
  my ($client) = @_;
  my ($forwarded) = $client->{head} =~ /^x-forwarded-for:\s*(.*?)\s*$/im;
  my ($real) = $client->{head} =~ /^x-real-ip:\s*(.*?)\s*$/im;
  my ($protocol) = $client->{head} =~ /^x-forwarded-proto:\s*(.*?)\s*$/im;
  my ($host) = $client->{head} =~ /^host:\s*(.*?)\s*$/im;
  return json_object({
    pid => "$$",
    uid => "$<",
    gid => (split ' ', $()[0],
    groups => "$)",
    directory => getcwd(),
    arguments => join(' ', @ARGV),
    environment => join(' ', sort keys %ENV),
    peer => $client->{socket}->peerhost,
    host => $host // '',
    forwarded_for => $forwarded // '',
    real_ip => $real // '',
    forwarded_proto => $protocol // '',
    version => $ANSWERS->{version},
  });
}

sub page {
  my $name = html(setting('TeamSettings.SiteName', 'Mattermost'));
  my $driver = html(setting('SqlSettings.DriverName', 'none'));
  my $database = database_answers() ? 'answers' : 'does not answer';
  my $path = html($CONFIG);
  return <<"HTML";
<!doctype html><html lang="en"><meta charset="utf-8"><title>$name (fake)</title>
<h1>$name</h1>
<p>This is a <strong>fake</strong> Mattermost $ANSWERS->{version}, made for tests: it started as it should, and has no messages.</p>
<ul><li>Configuration: <code>$path</code></li>
<li>Database: <code>$driver</code>, its port $database</li>
<li>Process $$, user $<</li></ul></html>
HTML
}

# Answers, and returns whether the connection stays open.
sub answer {
  my ($client, $status, $body, $type) = @_;
  my %reason = (200 => 'OK', 201 => 'Created', 404 => 'Not Found', 413 => 'Content Too Large');
  my $close = $client->{head} =~ m{ HTTP/1\.0\r?$|^connection:\s*close}im;
  send_all($client->{socket}, join "\r\n",
    "HTTP/1.1 $status $reason{$status}",
    'Content-Type: ' . ($type // 'application/json'),
    'Content-Length: ' . length $body,
    "X-Version-Id: $ANSWERS->{version}.fake",
    'Connection: ' . ($close ? 'close' : 'keep-alive'),
    '', $body);
  return !$close;
}

sub websocket {
  my ($client) = @_;
  my ($key) = $client->{head} =~ /^sec-websocket-key:\s*(\S+)/im;
  my $upgrade = $client->{head} =~ /^upgrade:\s*websocket/im && $client->{head} =~ /^connection:.*upgrade/im;
  return answer($client, 404, '{"status_code":400}') unless $key && $upgrade;
  # RFC 6455, section 1.3.
  my $accept = base64(sha1($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'));
  send_all($client->{socket}, join "\r\n", 'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket', 'Connection: Upgrade', "Sec-WebSocket-Accept: $accept", '', '');
  return $client->{websocket} = 1;
}

sub send_all {
  my ($socket, $bytes) = @_;
  while (length $bytes) {
    my $sent = syswrite $socket, $bytes;
    return unless $sent;
    substr $bytes, 0, $sent, '';
  }
}

sub base64 {
  my $text = pack 'u', $_[0];
  $text =~ s/^.//mg;
  $text =~ tr{` -_}{AA-Za-z0-9+/};
  $text =~ s/\n//g;
  my $padding = (3 - length($_[0]) % 3) % 3;
  substr $text, -$padding, $padding, '=' x $padding if $padding;
  return $text;
}

# FIPS 180-4; perl-base has no digest module.
sub sha1 {
  my ($message) = @_;
  my $bits = 8 * length $message;
  $message .= "\x80" . "\0" x ((55 - length $message) % 64) . pack('Q>', $bits);
  my @hash = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  my $rotate = sub { (($_[0] << $_[1]) | ($_[0] >> (32 - $_[1]))) & 0xffffffff };
  for my $block (unpack '(a64)*', $message) {
    my @word = unpack 'N16', $block;
    push @word, $rotate->($word[-3] ^ $word[-8] ^ $word[-14] ^ $word[-16], 1) while @word < 80;
    my ($a, $b, $c, $d, $e) = @hash;
    for my $i (0 .. 79) {
      my ($f, $k) = $i < 20 ? (($b & $c) | (~$b & $d), 0x5a827999)
        : $i < 40 ? ($b ^ $c ^ $d, 0x6ed9eba1)
        : $i < 60 ? (($b & $c) | ($b & $d) | ($c & $d), 0x8f1bbcdc)
        : ($b ^ $c ^ $d, 0xca62c1d6);
      my $next = ($rotate->($a, 5) + ($f & 0xffffffff) + $e + $k + $word[$i]) & 0xffffffff;
      ($a, $b, $c, $d, $e) = ($next, $a, $rotate->($b, 30), $c, $d);
    }
    my @add = ($a, $b, $c, $d, $e);
    $hash[$_] = ($hash[$_] + $add[$_]) & 0xffffffff for 0 .. 4;
  }
  return pack 'N5', @hash;
}

sub html {
  my ($text) = @_;
  my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
  $text =~ s/([&<>"])/$entity{$1}/g;
  return $text;
}

1;
