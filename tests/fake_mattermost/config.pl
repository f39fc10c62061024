# Reads, judges and rewrites config.json as a server of the release does.
use strict;
use warnings;

our ($DATA, $INSTALL, $ANSWERS);

# Go types that are not int.
my %INT64 = map { $_ => 1 } qw(
  TeamSettings.MaxChannelsPerTeam TeamSettings.MaxNotificationsPerChannel TeamSettings.UserStatusAwayTimeout
  FileSettings.MaxFileSize FileSettings.AmazonS3RequestTimeoutMilliseconds FileSettings.MaxImageResolution
  ServiceSettings.MaximumPayloadSizeBytes ServiceSettings.TimeBetweenUserTypingUpdatesMilliseconds
  ServiceSettings.OutgoingIntegrationRequestsTimeout ServiceSettings.TLSStrictTransportMaxAge
  ExperimentalSettings.LinkMetadataTimeoutMilliseconds
);

# Fields that 3.0 to 3.7 read without defaults.
my @PLAIN = qw(
  ServiceSettings.MaximumLoginAttempts ServiceSettings.ListenAddress TeamSettings.MaxUsersPerTeam
  SqlSettings.DriverName SqlSettings.DataSource SqlSettings.MaxIdleConns SqlSettings.MaxOpenConns
);

# Empty ones are filled.
my @SECRETS = (
  ['FileSettings.PublicLinkSalt', '3.0.0', '99.0.0'],
  ['SqlSettings.AtRestEncryptKey', '3.0.0', '99.0.0'],
  ['EmailSettings.InviteSalt', '3.0.0', '5.10.0'],
  ['EmailSettings.PasswordResetSalt', '3.0.0', '3.9.0'],
);

# Key, value before, value after, first release, first release that does not.
my @REWRITES = (
  ['EmailSettings.SMTPServer', '', 'dockerhost', '5.10.0', '5.16.0'],
  ['EmailSettings.SMTPServer', '', 'localhost', '5.16.0', '99.0.0'],
  ['EmailSettings.SMTPPort', '', '2500', '5.10.0', '5.16.0'],
  ['EmailSettings.SMTPPort', '', '10025', '5.16.0', '99.0.0'],
  ['TeamSettings.MaxNotificationsPerChannel', '1000', '1000000', '5.37.0', '6.0.0'],
);

my %LOCALES = map { $_ => 1 } qw(
  bg de en en-AU es fa fr hu it ja ko nl pl pt-BR ro ru sv tr uk vi zh-CN zh-TW);

my (@paths, %default, %path_of, %is_section);
my (%file, %value, $is_incomplete);

# The value in force: text, number, or 0 or 1; the last argument if there is none.
sub setting {
  my ($path, $else) = @_;
  my $node = $value{$path};
  return defined $node && $node->[0] =~ /[snb]/ && $node->[1] ne '' ? $node->[1] : $else;
}

# Reads the configuration, and gives up like the release if it refuses it.
sub load_config {
  my ($command, $config, $answers) = @_;
  read_settings();
  if ($config =~ m{^postgres(?:ql)?://} || $config =~ /^mysql:/ && before('11.0.0')) {
    my ($driver, $source) = $config =~ m{^mysql://(.*)} ? ('mysql', $1) : ('postgres', $config);
    my $error = probe($driver, $source);
    give_up($answers, 'store', error => $error) if defined $error;
    my $stored = has_store() ? store('read') : '';
    read_document($stored =~ /\S/ ? parse_document($answers, $config, $stored) : undef, $answers, $config, $stored);
    judge($answers, $command, $config);
    keep($stored) if has_store();
    return;
  }
  my $text = read_file($config);
  if (!defined $text) {
    my $error = "open $config: " . lc "$!";
    give_up($answers, 'missing', error => $error, config => $config) if before('5.10.0') || $error !~ /no such file/;
  }
  my $document = defined $text && ($text =~ /\S/ || before('5.30.0')) ? parse_document($answers, $config, $text) : undef;
  read_document($document, $answers, $config, $text);
  judge($answers, $command, $config);
  save($answers, $config, !defined $text) if $command eq 'server';
}

# Stores the configuration if it differs; a server makes the secrets that it lacks.
sub keep {
  my ($stored) = @_;
  for (@SECRETS) {
    my ($path, $from, $to) = @$_;
    $file{$path} = ['s', random_text()] if in_releases($from, $to) && $file{$path} && $file{$path}[1] eq '';
  }
  my $text = json_text(document(), '');
  store('write', $text) if $stored !~ /\S/ || $text ne json_text(json_parse($stored), '');
}

sub read_settings {
  for (split /\n/, read_file("$DATA/settings.tsv")) {
    my ($path, $text) = split /\t/, $_, 2;
    push @paths, $path;
    $default{$path} = $text;
    $path_of{lc $path} = $path;
    my $section = $path;
    $is_section{lc $section} = 1 while $section =~ s/\.[^.]*$//;
  }
}

sub parse_document {
  my ($answers, $config, $text) = @_;
  my $document = eval { json_parse($text) };
  if (my $error = $@) {
    die $error unless ref $error;
    give_up($answers, 'parse', config => $config, text => placed($text, @$error));
  }
  if ($document->[0] eq 'z' && !before('5.30.0')) {
    print STDERR "panic: runtime error: invalid memory address or nil pointer dereference\n";
    POSIX::_exit(2);
  }
  return $document;
}

# A message with its place, as releases from 5.30 on print it.
sub placed {
  my ($text, $offset, $message) = @_;
  return $message if before('5.30.0');
  my @lines = split /\n/, substr($text, 0, $offset), -1;
  return sprintf 'parsing error at line %d, character %d: %s', scalar @lines, 1 + length $lines[-1], $message;
}

# Fills %file and %value; gives up if a value has the wrong type.
sub read_document {
  my ($document, $answers, $config, $text) = @_;
  my @problems;
  collect($document, '', \@problems, \%file) if defined $document;
  my $is_update = exists $file{'ServiceSettings.SiteURL'};
  my %given = map { $_ => 1 } keys %file;
  if (!before('3.4.0') && before('3.8.0') && !@problems && !$given{'FileSettings.PublicLinkSalt'}) {
    give_up($answers, 'invalid', text => 'runtime error: invalid memory address or nil pointer dereference');
  }
  my $custom = custom_defaults();
  for my $path (@paths) {
    next if $given{$path};
    $is_incomplete = 1;
    $file{$path} = $custom->{$path} // json_parse($default{$path});
  }
  if (before('3.8.0')) {
    $given{$_} || !$file{$_} or $file{$_} = $file{$_}[0] eq 'n' ? ['n', 0] : ['s', ''] for @PLAIN;
  }
  $file{'LogSettings.EnableConsole'} = ['b', 0] if before('5.10.0') && !$given{'LogSettings.EnableConsole'};
  for (@SECRETS) {
    my ($path, $from, $to) = @$_;
    next if !in_releases($from, $to) || !$file{$path} || $file{$path}[1] ne '' || !before('5.10.0') && !$is_update;
    $file{$path} = ['s', random_text()];
    $is_incomplete = 1;
  }
  %value = %file;
  override(\%given, \@problems);
  if (@problems) {
    my ($first) = @problems;
    my $all = join "\n", map { "* $_->[1]" } @problems;
    my $message = is_weak() ? @problems . " error(s) decoding:\n\n$all" : placed($text // '', @$first);
    give_up($answers, 'parse', config => $config, text => $message);
  }
  rewrite($_) for \%file, \%value;
}

# Whether the release converts values to the type of the setting.
sub is_weak { return !before('3.8.0') && before('5.30.0') }

# Reads the values that the release knows, in any letter case, into a hash by path.
sub collect {
  my ($node, $prefix, $problems, $found) = @_;
  if ($node->[0] ne 'o') {
    return if $node->[0] eq 'z';
    my ($parent, $name) = $prefix =~ /(?:(.*)\.)?([^.]+)$/;
    $name //= 'Config';
    push @$problems, [place_of($node), is_weak() ? "'$prefix' expected a map, got '" . go_word($node) . "'"
      : "json: cannot unmarshal " . go_word($node) . " into Go struct field " . ($parent // 'Config') . ".$name of type model.$name"];
    return;
  }
  for my $name (@{ $node->[4] }) {
    my $child = $node->[1]{$name};
    my $path = $prefix eq '' ? $name : "$prefix.$name";
    if ($is_section{lc $path}) { collect($child, $path, $problems, $found); next }
    my $known = $path_of{lc $path} // next;
    next if $child->[0] eq 'z';
    my ($good, $problem) = typed($known, $child);
    if (defined $good) { $found->{$known} = $good }
    else { push @$problems, [place_of($child), $problem] }
  }
}

sub place_of { return $_[0][0] =~ /[oa]/ ? $_[0][3] + 1 : $_[0][2] }

sub go_word {
  my %word = (s => 'string', n => 'number', b => 'bool', o => 'object', a => 'array');
  return $word{$_[0][0]};
}

sub kind_of {
  my ($sign) = $default{$_[0]} =~ /^(.)/;
  return $sign eq '"' ? 's' : $sign eq '[' ? 'a' : $sign eq '{' ? 'o' : $sign =~ /[tf]/ ? 'b' : $sign eq 'n' ? 'z' : 'n';
}

# A value of the setting's type, or nothing and the problem.
sub typed {
  my ($path, $node) = @_;
  my ($kind, $type, $content) = (kind_of($path), @$node[0, 1]);
  return $node if $kind eq $type && ($kind ne 'n' || $content !~ /[.eE]/) || $kind eq 'z' || $path =~ /AdvancedLoggingJSON$/;
  if (is_weak()) {
    return weak($path, $kind, $content) if $type =~ /[snb]/ && $kind =~ /[snba]/;
    return undef, "'$path' expected type '" . go_type($path, $kind) . "', got unconvertible type '" . go_word($node) . "'";
  }
  my ($section) = $path =~ /([^.]+)\.[^.]+$/;
  my $word = go_word($node) . ($kind eq 'n' && $type eq 'n' ? " $content" : '');
  return undef, "json: cannot unmarshal $word into Go struct field $section.$path of type " . go_type($path, $kind);
}

sub go_type {
  my ($path, $kind) = @_;
  my %type = (s => 'string', n => $INT64{$path} ? 'int64' : 'int', b => 'bool', a => '[]string', o => 'map[string]interface {}');
  return $type{$kind};
}

# Converts a text as viper does.
sub weak {
  my ($path, $kind, $text) = @_;
  return ['s', "$text"] if $kind eq 's';
  return ['a', [map { ['s', $_] } split /,/, $text]] if $kind eq 'a';
  if ($kind eq 'n') {
    return ['n', $text] if $text =~ /^[-+]?\d+$/;
    return undef, qq(cannot parse '$path' as int: strconv.ParseInt: parsing "$text": invalid syntax);
  }
  my $flag = flag_of($text);
  return ['b', $flag] if defined $flag;
  return undef, qq(cannot parse '$path' as bool: strconv.ParseBool: parsing "$text": invalid syntax);
}

sub flag_of {
  my ($text) = @_;
  return $text =~ /^(?:1|t|T|TRUE|true|True)$/ ? 1 : $text =~ /^(?:0|f|F|FALSE|false|False)$/ ? 0 : undef;
}

# Applies MM_SECTION_KEY. From 5.30 on the letter case does not matter, and the last one counts.
sub override {
  my ($given, $problems) = @_;
  return if before('4.0.0');
  my %path = map { my $name = uc "MM_$_"; $name =~ tr/./_/; ($name => $_) } @paths;
  for (environment()) {
    my ($name, $text) = @$_;
    next if $name ne uc $name && before('5.30.0');
    my $path = $path{uc $name} // next;
    next if before('4.10.0') && !$given->{$path};
    my $kind = kind_of($path);
    if (before('5.30.0')) {
      next if $text eq '';
      my ($good, $problem) = weak($path, $kind, $text);
      if (defined $good) { $value{$path} = $good } else { push @$problems, [0, $problem] }
      next;
    }
    my $flag = flag_of($text);
    my $json = $kind =~ /[oz]/ ? eval { json_parse($text) } : undef;
    $value{$path} = $kind eq 's' ? ['s', $text]
      : $kind eq 'n' && $text =~ /^[-+]?\d+$/ ? ['n', $text]
      : $kind eq 'b' && defined $flag ? ['b', $flag]
      : $kind eq 'a' && $text ne '' ? ['a', [map { ['s', $_] } split ' ', $text]]
      : defined $json ? $json
      : $path =~ /AdvancedLoggingJSON$/ && $text ne '' ? ['x', $text]
      : next;
  }
}

# The environment in its order, with names that Perl's hash would merge or reorder.
sub environment {
  my $text = read_file('/proc/self/environ');
  return map { [$_, $ENV{$_}] } sort keys %ENV unless defined $text;
  return map { [split /=/, $_, 2] } grep { /=/ } split /\0/, $text;
}

sub custom_defaults {
  my $path = $ENV{MM_CUSTOM_DEFAULTS_PATH} // '';
  return {} if $path eq '' || before('5.30.0');
  my $text = read_file($path);
  if (!defined $text) {
    warn_early(qq(Error loading custom configuration defaults: unable to open custom defaults file at "$path": open $path: ) . lc "$!");
    return {};
  }
  my $document = eval { json_parse($text) };
  if (my $error = $@) {
    warn_early("Error loading custom configuration defaults: unable to decode custom defaults configuration: $error->[1]");
    return {};
  }
  my %found;
  collect($document, '', [], \%found);
  return \%found;
}

sub rewrite {
  my ($values) = @_;
  for (@REWRITES) {
    my ($path, $before, $after, $from, $to) = @$_;
    my $node = $values->{$path} // next;
    next if !in_releases($from, $to) || $node->[1] ne $before;
    $values->{$path} = [$node->[0], $after];
    $is_incomplete = 1;
  }
}

sub is_locale { return $LOCALES{$_[0]} }

# A language that does not exist is replaced from 5.30 on, with a warning.
sub check_locales {
  return if before('5.30.0');
  for my $key (qw(DefaultServerLocale DefaultClientLocale)) {
    my $locale = $value{"LocalizationSettings.$key"} // next;
    next if $LOCALES{$locale->[1]};
    warn_early("$key must be one of the supported locales. Setting $key to en as default value.", $locale->[1]);
    $_->{"LocalizationSettings.$key"} = ['s', 'en'] for \%value, \%file;
  }
  my $available = setting('LocalizationSettings.AvailableLocales', '');
  my $client = setting('LocalizationSettings.DefaultClientLocale', 'en');
  return if $available eq '' || grep { $_ eq $client } split /,/, $available;
  warn_early('Adding DefaultClientLocale to AvailableLocales.');
  $_->{'LocalizationSettings.AvailableLocales'} = ['s', "$available,$client"] for \%value, \%file;
}

sub warn_early {
  my ($message, $locale) = @_;
  my $fields = defined $locale && !before('9.0.0') ? ',"fields":{"locale":"' . json_escape($locale) . '"}' : '';
  print STDERR '{"level":"warn","msg":"' . json_escape($message) . qq("$fields}\n);
}

# Gives up at the first rule that is broken.
sub judge {
  my ($answers, $command, $config) = @_;
  if ($command eq 'server') { check_locales() } else { emit_lines($answers->{before}) }
  my %exact = map { lc $_ => $_ } @paths;
  for (split /\n/, read_file("$DATA/rules.tsv")) {
    my ($given, $test, $argument, $condition, $id) = split /\t/, $_, 5;
    my $path = $exact{lc $given} // next;
    next unless applies($condition);
    my ($is_broken, %names) = broken($value{$path}, $test, $argument);
    next unless $is_broken;
    if ($names{Json}) { $id =~ s/parse$/json/ }
    my $text = $id;
    if ($answers->{isTranslated}) {
      $text = translation($id);
      %names = (Setting => $path, Value => $value{$path}[1], %names);
      $text =~ s/\{\{\.(\w+)\}\}/$names{$1} \/\/ ''/ge;
    }
    give_up($answers, 'invalid', text => $text, config => $config);
  }
}

sub applies {
  my ($condition) = @_;
  for (split /&/, $condition) {
    my ($not, $path) = /^(!?)(.*)/;
    return 0 if !!setting($path, 0) eq !!$not;
  }
  return 1;
}

# Whether a value breaks a rule, and names for the sentence.
sub broken {
  my ($node, $test, $argument) = @_;
  my ($type, $text) = @$node;
  return $text <= 0 if $test eq 'positive';
  return $text < $argument if $test eq 'min';
  return !grep { $_ eq $text } split(/\|/, $argument, -1) if $test eq 'in';
  return $text eq $argument if $test eq 'not';
  return $text eq '' if $test eq 'nonempty';
  return !!$text if $test eq 'off';
  return !$text if $test eq 'on';
  return $text ne '' && length $text < 32 if $test eq 'key';
  return ((length $text > $argument), MaxLength => $argument) if $test eq 'length';
  if ($test eq 'range') {
    my ($min, $max) = split /\|/, $argument;
    return (($text < $min || $text > $max), MinLength => $min, MaxLength => $max);
  }
  return $text =~ /^\s|\s$/ if $test eq 'trimmed';
  return $text !~ /^(?:[01]?\d|2[0-3]):[0-5]\d$/ if $test eq 'clock';
  return $text ne '' && $text !~ m{^(?:[A-Za-z][A-Za-z0-9+.-]*:|/)[^\s\x00-\x1f]*$} if $test eq 'url';
  return $text !~ m{^https?://[^\s/]} if $test eq 'weburl';
  return !-e $text if $test eq 'exists';
  if ($test eq 'address') {
    my ($host, $port) = $text =~ /^(.*):([^:]*)$/;
    return !defined $port || $port !~ /^\d+$/ || $port > 65535 || $host !~ /^(?:\[[0-9a-fA-F:.%]*\]|[A-Za-z0-9_.-]*)$/;
  }
  if ($test eq 'contains') {
    my $part = setting($argument, '');
    return $text ne '' && index($text, $part) < 0;
  }
  if ($test eq 'each') {
    my ($bad) = grep { $_ !~ /^(?:$argument)$/ } map { $_->[1] } @$text;
    return (defined $bad, Id => $bad, Scheme => $bad);
  }
  return broken_logging($type, $text) if $test eq 'logging';
  die "unknown test $test";
}

sub broken_logging {
  my ($type, $text) = @_;
  if ($type eq 'x') {
    eval { json_parse($text) };
    return (1, Json => 1, Error => $@->[1]);
  }
  return (1, Json => 1, Error => 'json: cannot unmarshal ' . go_word([$type]) . ' into Go value of type mlog.LoggerConfiguration')
    if $type !~ /[oz]/;
  for my $name ($type eq 'o' ? sort keys %$text : ()) {
    my $target = $text->{$name}[0] eq 'o' ? $text->{$name}[1]{type} : undef;
    my $kind = defined $target ? $target->[1] : '';
    return (1, Error => "error in config for target '$name': target type '$kind' is unrecognized")
      unless $kind =~ /^(?:console|file|tcp|syslog|none)$/;
  }
  return 0;
}

sub translation {
  my ($id) = @_;
  my $texts = json_parse(read_file("$INSTALL/i18n/en.json") // '[]');
  for (@{ $texts->[1] }) {
    return $_->[1]{translation}[1] if $_->[1]{id}[1] eq $id;
  }
  return $id;
}

# Writes the file: up to 5.29 if something was missing, later always.
sub save {
  my ($answers, $config, $is_new) = @_;
  return unless $is_incomplete || !before('5.30.0');
  my $text = json_text(document(), '');
  $text .= "\n" if before('5.10.0');
  my $is_written = $is_new
    ? sysopen(my $new, $config, POSIX::O_WRONLY() | POSIX::O_CREAT() | POSIX::O_EXCL(), 0600)
    : open(my $old, '+<', $config);
  my $error = "open $config: " . lc "$!";
  if ($is_written) {
    my $file = $new // $old;
    truncate $file, 0;
    print $file $text;
    return if close $file;
    $error = "write $config: " . lc "$!";
  }
  give_up($answers, 'persist', error => $error) unless before('5.10.0');
  my $message = before('5.0.0') ? 'An error occurred while saving the file to' : 'utils.config.save_config.saving.app_error';
  print before('4.0.0')
    ? filled(['out', 'always', "[{clock}] [WARN] (github.com/mattermost/platform/utils.LoadConfig:186) $message <no value>"]) . "\n"
    : qq({"level":"warn","msg":"SaveConfig: $message) . (before('5.0.0') ? " $config, " : ', ') . json_escape($error) . qq("}\n);
}

# The values of the file in the order of the settings.
sub document {
  my $root = ['o', {}, 0, 0, []];
  for my $path (@paths) {
    my @names = split /\./, $path;
    my $last = pop @names;
    my $place = $root;
    for my $name (@names) {
      push @{ $place->[4] }, $name unless $place->[1]{$name};
      $place = $place->[1]{$name} //= ['o', {}, 0, 0, []];
    }
    push @{ $place->[4] }, $last;
    my $node = $file{$path};
    $place->[1]{$last} = $node->[0] eq 'o' ? sorted($node) : $node;
  }
  return $root;
}

# Go writes maps by name.
sub sorted {
  my ($node) = @_;
  return $node unless $node->[0] eq 'o';
  return ['o', { map { $_ => sorted($node->[1]{$_}) } keys %{ $node->[1] } }, 0, 0, [sort keys %{ $node->[1] }]];
}

sub random_text {
  open my $random, '<', '/dev/urandom' or die "no random numbers: $!";
  read $random, my $bytes, 32;
  my @letters = split //, 'ybndrfg8ejkmcpqxot1uwisza345h769';
  return join '', map { $letters[$_ % 32] } unpack 'C*', $bytes;
}

1;
