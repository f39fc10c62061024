# Strict JSON with types and places. A value is [type, value, end, start, names]:
#   o object: hash of values, and its names in order     a array: list of values
#   s string    n number: its text    b flag: 0 or 1     z null
use strict;
use warnings;

# Dies with [byte, message] in the words of Go's encoding/json.
sub json_parse {
  my ($text) = @_;
  my $value = json_value(\$text);
  $text =~ /\G\s*/gc;
  json_fail(\$text, 'after top-level value') if (pos($text) // 0) < length $text;
  return $value;
}

sub json_fail {
  my ($text, $where) = @_;
  my $place = pos($$text) // 0;
  die [$place, 'unexpected end of JSON input'] if $place >= length $$text;
  die [$place + 1, "invalid character '" . substr($$text, $place, 1) . "' $where"];
}

sub json_value {
  my ($text) = @_;
  $$text =~ /\G\s*/gc;
  my $start = pos($$text) // 0;
  return ['s', json_unescape($1), pos $$text, $start] if $$text =~ /\G"((?:[^"\\\x00-\x1f]++|\\.)*+)"/gc;
  return ['n', $1, pos $$text, $start]
    if $$text =~ /\G(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)/gc;
  return [$1 eq 'null' ? 'z' : 'b', $1 eq 'true' ? 1 : 0, pos $$text, $start]
    if $$text =~ /\G(true|false|null)\b/gc;
  if ($$text =~ /\G\{/gc) {
    my (%object, @names);
    return ['o', {}, pos $$text, $start, []] if $$text =~ /\G\s*\}/gc;
    while (1) {
      $$text =~ /\G\s*"((?:[^"\\\x00-\x1f]++|\\.)*+)"\s*:/gc
        or do { $$text =~ /\G\s*/gc; json_fail($text, 'looking for beginning of object key string') };
      my $name = json_unescape($1);
      push @names, $name unless exists $object{$name};
      $object{$name} = json_value($text);
      next if $$text =~ /\G\s*,/gc;
      return ['o', \%object, pos $$text, $start, \@names] if $$text =~ /\G\s*\}/gc;
      $$text =~ /\G\s*/gc;
      json_fail($text, 'after object key:value pair');
    }
  }
  if ($$text =~ /\G\[/gc) {
    my @array;
    return ['a', [], pos $$text, $start] if $$text =~ /\G\s*\]/gc;
    while (1) {
      push @array, json_value($text);
      next if $$text =~ /\G\s*,/gc;
      return ['a', \@array, pos $$text, $start] if $$text =~ /\G\s*\]/gc;
      $$text =~ /\G\s*/gc;
      json_fail($text, 'after array element');
    }
  }
  return json_fail($text, 'looking for beginning of value');
}

sub json_unescape {
  my ($string) = @_;
  return $string unless $string =~ /\\/;
  my %escape = (n => "\n", t => "\t", r => "\r", b => "\b", f => "\f");
  $string =~ s/\\(?:u([0-9a-fA-F]{4})|(.))/defined $1 ? utf8_bytes(hex $1) : $escape{$2} \/\/ $2/ge;
  return $string;
}

sub utf8_bytes {
  my $character = chr $_[0];
  utf8::encode($character);
  return $character;
}

# The inside of a string, as Go's encoder writes it.
sub json_escape {
  my ($string) = @_;
  $string =~ s/([\\"])/\\$1/g;
  $string =~ s/\n/\\n/g;
  $string =~ s/\t/\\t/g;
  $string =~ s/([\x00-\x1f<>&])/sprintf '\\u%04x', ord $1/ge;
  return $string;
}

# Text of a value, indented like the server's file.
sub json_text {
  my ($value, $indent) = @_;
  my ($type, $content) = @$value;
  return '"' . json_escape($content) . '"' if $type eq 's';
  return $content if $type eq 'n';
  return $content ? 'true' : 'false' if $type eq 'b';
  return 'null' if $type eq 'z';
  my $inner = "$indent    ";
  if ($type eq 'a') {
    return '[]' unless @$content;
    return "[\n" . join(",\n", map { $inner . json_text($_, $inner) } @$content) . "\n$indent]";
  }
  return '{}' unless %$content;
  my @names = @{ $value->[4] // [sort keys %$content] };
  return "{\n"
    . join(",\n", map { qq($inner") . json_escape($_) . '": ' . json_text($content->{$_}, $inner) } @names)
    . "\n$indent}";
}

# An object with strings only, on one line.
sub json_object {
  my ($values) = @_;
  return '{' . join(',', map { '"' . json_escape($_) . '":"' . json_escape($values->{$_}) . '"' } sort keys %$values) . '}';
}

1;
