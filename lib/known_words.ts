/**
 * The words of messages that programs around Mattermost send.
 *
 * @module
 */

/**
 * Words, in lower case, that occur in messages of PostgreSQL, MySQL, MariaDB, poolers, mail servers,
 * Go's libraries and Mattermost about logins, connections and configurations, as their programs
 * contain them. A word that is a part of another one is left out. A reader can guess such a
 * message, so that a gap in it would tell which word was removed.
 */
export const KNOWN_WORDS = `
abnormal aborted aborting about above absent absolute abuse accepted accepting accepts accessed
accounts acl acquired actiance activated activity actual added adding addresses adequate
administrators affects after against agent aggregate ahead alert algorithm alias allows already
also alternatives always amazon amount analyze android announcement anonymous another appears
applicable application applying appropriate apps archiver args arguments array assigned
assumption atmos attack attempted attempts attribute audit authenticating authenticationerror
authenticator authority authorization automatic autovacuum avoid backend background backup
backward bad banned banner base64 basic batching because been before beginning behavior behind
being belonging belongs below between bgwriter bigint binary binding binlog bits bleve blocked
blocks body boolean bootstrapping both bound brin broken broker browser btree bucket buffers
built bundle burst busy button bye bytes caching calculate called calls camo canceled canceling
cannot cant capability captcha cast catalog caused causes certificates chain changed changes
channel characters charset cheapest checked checking checkpoint checks child chooses chunk
ciphers class clause cleaned cleared clearing cleartext clientcert clientname clients clock
closed closing cloud clustering cn codec coerced collapsed collate collation collects color
columns commands comment commit common compatibility compiled completed compliance component
compression computing concurrently condition configuration configured confirm conflicts
connected connections consecutive considered consistency console constraint consult contact
containing contains contents context continues controls conversion convert copy corrupted
corruption cost couldnt crashed crashes created createrole creation creators credentials cross
csv ctype cursor customary cycle databases datasource days dbl dbname deadline deadlock
debugging declaration decoder decoding deduced defaults defer defined definer definition delayed
deleted deletion denied deny dependency dependent depending deprecated depth describe details
detected detection determined deterministic device dh diagnostics dial dictionary did different
differs digest digits directories disabled disabling disallowed disappeared disconnecting
disconnection discovery disk display distinct distinguished diverged dns doesn dollar domain
done double download drivername dropped dropping dsn due dump duplicate during dynamic earlier
earliest early edition effect effort ehlo eight elasticsearch element email embedded empty
enabled enables encoded encoder encodings encrypting encryption endpoint ends enough ensures
ensuring entering enterprise entries eof equal errno erroneous errors escape esmtp everyone
evidence exactly examine exceeded exceeding exceeds exception exchange exclude executable
executed executing existing exists exit experimental expired expires explain explicitly export
expression extended extension external extra extremely facility failed failing fails failures
fallback false family fastpath fatal feature federated feedback fewer field filestore fill
filter final find finished first fixed flag float64 float8 floating flush folder forbidden force
foreign forgot forked formats formatting fortify forward found fourth frame freeze from fstack
fsync fulltext functions garbage gateway general generated generator generic geometric gitlab
given globalrelay golang good google goroutine granted granting greater greeting greylisted
grouping gssapi gtids guest gzip had handler handshake hardware hash have having hba header
headline health held hello helo help hexadecimal hidden hide higher highest hints holding hosted
hostname hostssl hours however html https huge hup i/o i18n identifiers identity idle ignored
illegal image imap immediate implemented import impose improper inactive includedir includes
incompatible incomplete inconsistent incorrect increase increasing indexing indicated indicates
infile information inherited initiated inner innodb inout input insecure insert inside instance
instead instructs insufficient int64 integer interactive interface internal interrupted interval
into invalid invitation invite invoker invoking ios ipv4 ipv6 ispell issued issuer isvalid jobs
jsonpath junk kb keepalive kerberos kernel keys keyword killed krb5 label lacking language
larger lateral launcher layout ldapbasedn ldapprefix ldapsuffix learn least left legacy length
lesser letter levels libraries library licence license lifetime limited limiter link listener
locales localhost localization location logger logging logical login logon logout logs longer
looking lookup loop loss lost lowercase lru lsn lz4 machine made mailbox maintainer maintenance
makes malformed management manager mandatory manipulate manual many mariadbd marketplace matched
matches matching materialized mattermost maxalign maximum may md5 means meant mechanism members
memory mention merge messages messaging metadata methods metrics microsoft middle might
migration milliseconds minimum minutes mismatch missing mmuser model modified modifier modifying
moment more mtls multiple multixactids must mysql namedatalen namespace needed needs negative
negligible neither network never newline next nil node none normally notices notification null
numbers numeric o2 oauth objects obtain occurred occurs octal offer office365 oids oldest omit
once ongoing online only openid opensearch openssl operating operations operator opportunistic
options order organization origins others outlook output outside overall overflowed overlaps
overload overrun oversize owned ownership owns package packet pages pairs panic parallel
parameterized parameterless parametermodes parameters parent parsed parser parsing partially
passed passphrases passwords past paths pattern pausing payload peer pem penalty percent
performance performing perhaps period permanent permissions permitted pgbouncer pgc phase
physically pid pipeline places plaintext plan platforms please plugins plus pointer policy poll
pooler portal position positive possible possibly postfix postgresql postmaster precise
precision predicate preferred prefetch preloading prepared preparing presence present prevent
previous primary prime principal print prior privacy private privileges probably problems
procedures proceed processes processing professional program progress prohibited promotion proof
propagate properly protector protocol prove provided provider provides proxy pseudo psql
publication publisher purged push queries queued quota quoted quotes radius raise random range
rcpt reached reaching readable reader reading realm reason reassign rebuild received receiver
recipient recommended reconfigure reconnect recorded recording records recoverylocklists
recreate recursion recursive redefine redirect redis redo reduced reducing redundant referenced
references referring refresh refused refuses regexp region register registration regularly
reindex rejected rejects related relations relcache released releases releasing relevant
reloaded relocatable relro relseg remaining remnant remote removed removing renamed
renegotiation repeatable replaced replicas replication reply reported repository requested
required requirements requires reserved reset resolution resolved resources response restarted
restarting restartpoint restore restoring restricted resulted resume retention retransmits
retries retrieve retrying returned returning reverse revocation revoked right roles rollback
root rules running runtime rwx rx s3 safely safety salt same saml sampling sans saslauthd
satisfy save say schedule schemas scope scram secondary secret section security seems segments
selected selects self selinux senders sending sentry separated sequences serializable
serialization serious serverhost servers service sessions setclientencoding setlocale setseed
settle setup several severity sha1 sha256 shard shareable shared shell short should shows
shutdown shutting sidebar signal signature sigquit silent simple since single site sized
skipping skips slave sleep slice slots slow smart smtpclientauthentication smtpd snapshots sniff
sockets software some soon sorry spam special specification specified specifier specifies
specify split sqlsettings sqlstate srv sslmode sspi standard standby starter starts starttls
startup statements static statistics stats status step still stopped stopping stopwords storage
stored strategy streaming strings strong structured subdirectory subject submission subquery
subscription successfully such suggest suitable superusers supplies supports suspended
suspicious swap switch symbols synchronization synchronizing synchronous synonyms syntax syslog
systemd tablespaces taken targets task tb tcp teammate teams template0 temporarily temporary
tenant terminated terminating termination terminator terms tests than that their theme therefore
thesaurus these they thinks this those threads through timed timeline timeout timer timestamp
timezone timing tls1 tlsv1 toast token tool total touch trace tracking trailing transactional
transactionids transactions transcription transiently transition translate translation transport
tried triggers true trusted tuples types tzdata udp uint32 umask unable unauthenticated
unauthorized unavailable unblock undeclared underlying unencrypted unexpected unfrozen unicode
uninitialized uninstalled unique units unix unknown unloaded unlock unlogged unmarshal unnamed
unpaused unprivileged unreachable unrecognized unsafe unsupported until unusual updated updates
upgrade upgrading upon uppercase url usable usage useless usermap username usually utf8mb4 uuid
vacuumed validate validation values variables variadic vars vary vector verification verified
verify versioned via views violates violation waiting waits walsender want warning was webserver
websocket welcome went were what when where whether which while whose wide willnorris window
within without workers workspace would wraparound wrapper writable writes writing written wrong
x509 xacts xid xlog xml year yes yet your zero zoneinfo
`;
