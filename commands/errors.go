package commands

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/store"
)

// Error is an error reply: the whole text behind the '-', beginning with its code.
type Error string

func (e Error) Error() string { return string(e) }

// errorf makes an Error with arguments. Bytes from a client are quoted up to a NUL, as Redis does.
func errorf(format string, a ...any) error {
	for i := range a {
		if b, ok := a[i].([]byte); ok {
			a[i] = untilNUL(b)
		}
	}
	return Error(fmt.Sprintf(format, a...))
}

// Every text that goes out as an error and is the same each time.
const (
	ErrSyntax           = Error("ERR syntax error")
	ErrNotInteger       = Error("ERR value is not an integer or out of range")
	ErrNotFloat         = Error("ERR value is not a valid float")
	ErrOutOfRange       = Error("ERR value is out of range")
	ErrRangeLocal       = Error("ERR value is out of range, value must between 0 and 1")
	ErrWaitLog          = Error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
	ErrMustBePositive   = Error("ERR value is out of range, must be positive")
	ErrNoSuchKey        = Error("ERR no such key")
	ErrSameObject       = Error("ERR source and destination objects are the same")
	ErrIndexRange       = Error("ERR index out of range")
	ErrOverflow         = Error("ERR increment or decrement would overflow")
	ErrDecrOverflow     = Error("ERR decrement would overflow")
	ErrNaNOrInf         = Error("ERR increment would produce NaN or Infinity")
	ErrStringTooLong    = Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	ErrOffset           = Error("ERR offset is out of range")
	ErrDBRange          = Error("ERR DB index is out of range")
	ErrInvalidCursor    = Error("ERR invalid cursor")
	ErrTimeoutFloat     = Error("ERR timeout is not a float or out of range")
	ErrTimeoutRange     = Error("ERR timeout is out of range")
	ErrTimeoutNegative  = Error("ERR timeout is negative")
	ErrNoAuth           = Error("NOAUTH Authentication required.")
	ErrWrongPass        = Error("WRONGPASS invalid username-password pair or user is disabled.")
	ErrNoProto          = Error("NOPROTO unsupported protocol version")
	ErrHelloNoAuth      = Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	ErrMultiNested      = Error("ERR MULTI calls can not be nested")
	ErrWatchInMulti     = Error("ERR WATCH inside MULTI is not allowed")
	ErrExecNoMulti      = Error("ERR EXEC without MULTI")
	ErrDiscardNoMulti   = Error("ERR DISCARD without MULTI")
	ErrExecAbort        = Error("EXECABORT Transaction discarded because of previous errors.")
	ErrNotInMulti       = Error("ERR Command not allowed inside a transaction")
	ErrUnblocked        = Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
	ErrNumKeys          = Error("ERR numkeys should be greater than 0")
	ErrCountPositive    = Error("ERR count should be greater than 0")
	ErrHashNotInteger   = Error("ERR hash value is not an integer")
	ErrHashNotFloat     = Error("ERR hash value is not a float")
	ErrNotFinite        = Error("ERR value is NaN or Infinity")
	ErrCountRange       = Error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	ErrTooManyKeys      = Error("ERR Number of keys can't be greater than number of args")
	ErrLimitNegative    = Error("ERR LIMIT can't be negative")
	ErrNoValuesHashOnly = Error("ERR NOVALUES option can only be used in HSCAN")
	ErrRankZero         = Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
	ErrCountNegative    = Error("ERR COUNT can't be negative")
	ErrMaxLenNegative   = Error("ERR MAXLEN can't be negative")
	ErrNXAndXX          = Error("ERR XX and NX options at the same time are not compatible")
	ErrGTAndLT          = Error("ERR GT, LT, and/or NX options at the same time are not compatible")
	ErrIncrPairs        = Error("ERR INCR option supports a single increment-element pair")
	ErrScoreNaN         = Error("ERR resulting score is not a number (NaN)")
	ErrScoreRange       = Error("ERR min or max is not a float")
	ErrLexRange         = Error("ERR min or max not valid string range item")
	ErrLimitByRank      = Error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	ErrScoresByLex      = Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
	ErrWeight           = Error("ERR weight value is not a float")
	ErrGeoRadius        = Error("ERR need numeric radius")
	ErrGeoWidth         = Error("ERR need numeric width")
	ErrGeoHeight        = Error("ERR need numeric height")
	ErrGeoRadiusSign    = Error("ERR radius cannot be negative")
	ErrGeoBoxSign       = Error("ERR height or width cannot be negative")
	ErrGeoUnit          = Error("ERR unsupported unit provided. please use M, KM, FT, MI")
	ErrGeoMember        = Error("ERR could not decode requested zset member")
	ErrCountAboveZero   = Error("ERR COUNT must be > 0")
	ErrGeoAny           = Error("ERR the ANY argument requires COUNT argument")
	ErrDenied           = Error("DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.")
	ErrMaxClients       = Error("ERR max number of clients reached")
	ErrLCSNotStrings    = Error("ERR The specified keys must contain string values")
	ErrLCSLenAndIdx     = Error("ERR If you want both the length and indexes, please just use IDX.")
	ErrLCSMemory        = Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
	ErrExpireNXOthers   = Error("ERR NX and XX, GT or LT options at the same time are not compatible")
	ErrExpireGTLT       = Error("ERR GT and LT options at the same time are not compatible")
	ErrFieldTimeSign    = Error("ERR invalid expire time, must be >= 0")
	ErrFieldTimeTwice   = Error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
	ErrFieldCondTwice   = Error("ERR Only one of FXX or FNX arguments can be specified")
	ErrFieldsMissing    = Error("ERR Mandatory argument FIELDS is missing or not at the right position")
	ErrFieldsCount      = Error("ERR The `numfields` parameter must match the number of arguments")
	ErrFieldsPositive   = Error("ERR Number of fields must be a positive integer")
	ErrFieldsInvalid    = Error("ERR invalid number of fields")
	ErrNumFields        = Error("ERR Parameter `numFields` should be greater than 0")
	ErrInt32            = Error("ERR value is out of range, value must between -2147483648 and 2147483647")
	ErrFirstDB          = Error("ERR invalid first DB index")
	ErrSecondDB         = Error("ERR invalid second DB index")
	ErrLFU              = Error("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
	ErrOOM              = Error("OOM command not allowed when used memory > 'maxmemory'.")
	ErrNoLFU            = Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
	ErrNoSuchClientAddr = Error("ERR No such client")
	ErrNoPassword       = Error("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
	ErrProtoInteger     = Error("ERR Protocol version is not an integer or out of range")
	ErrClientName       = Error("ERR Client names cannot contain spaces, newlines or special characters.")
	ErrClientID         = Error("ERR Invalid client ID")
	ErrClientIDPositive = Error("ERR client-id should be greater than 0")
	ErrMaxAgeInteger    = Error("ERR maxage is not an integer or out of range")
	ErrMaxAgePositive   = Error("ERR maxage should be greater than 0")
	ErrTimeoutInteger   = Error("ERR timeout is not an integer or out of range")
	ErrPauseMode        = Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
	ErrUnblockReason    = Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	ErrGetkeysCommand   = Error("ERR Invalid command specified")
	ErrGetkeysNone      = Error("ERR The command has no key arguments")
	ErrGetkeysArity     = Error("ERR Invalid number of arguments specified for command")
	ErrGetkeysArgs      = Error("ERR Invalid arguments specified for command")
	ErrLoading          = Error("LOADING Redis is loading the dataset in memory")
	ErrSaving           = Error("ERR Background save already in progress")
	ErrSaveRewriting    = Error("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.")
	ErrRewriting        = Error("ERR Background append only file rewriting already in progress")
	ErrSave             = Error("ERR")
	ErrMasterPort       = Error("ERR Invalid master port")
	ErrNoReplica        = Error("ERR Pulse cannot be a replica yet")
	ErrNoReplicas       = Error("ERR Pulse has no replicas yet; it sends its data after REPLCONF RDB-ONLY 1 alone, as redis-cli --rdb asks for them")
	ErrFilterEOF        = Error("ERR Filtered replica requires EOF capability")
	ErrNoFailover       = Error("ERR No failover in progress.")
	ErrFailoverReplicas = Error("ERR FAILOVER requires connected replicas.")
	ErrFailoverTimeout  = Error("ERR FAILOVER timeout must be greater than 0")
	ErrClusterOff       = Error("ERR This instance has cluster support disabled")
	ErrNoFiles          = Error("ERR The server keeps no files: it was opened without a directory")
	ErrReloadOptions    = Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
	ErrReloadRDB        = Error("ERR Error trying to load the RDB dump, check server logs.")
	ErrReloadAOF        = Error("ERR Error trying to load the AOF files, check server logs.")
	ErrPackedThreshold  = Error("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
	ErrShutdownFailed   = Error("ERR Errors trying to SHUTDOWN. Check logs.")
	ErrMisconfRDB       = Error("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.")
	ErrNoShutdown       = Error("ERR No shutdown in progress.")
	ErrNeedsRESP3       = Error("ERR RESP2 is not supported by this command")
	ErrProtocolType     = Error("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	ErrNoConfigFile     = Error("ERR The server is running without a config file")
	ErrBitOffset        = Error("ERR bit offset is not an integer or out of range")
	ErrBit              = Error("ERR bit is not an integer or out of range")
	ErrBitArgument      = Error("ERR The bit argument must be 1 or 0.")
	ErrBitopNot         = Error("ERR BITOP NOT must be called with a single source key.")
	ErrBitfieldType     = Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
	ErrBitfieldOverflow = Error("ERR Invalid OVERFLOW type specified")
	ErrBitfieldReadOnly = Error("ERR BITFIELD_RO only supports the GET subcommand")
	ErrDigest           = Error("ERR must be exactly 16 hexadecimal characters")
	ErrDelexCondition   = Error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
	ErrMsetexKeys       = Error("ERR invalid numkeys value")
	ErrMsetexPairs      = Error("ERR wrong number of key-value pairs")
	ErrBusyKey          = Error("BUSYKEY Target key name already exists.")
	ErrRestoreTTL       = Error("ERR Invalid TTL value, must be >= 0")
	ErrIdletime         = Error("ERR Invalid IDLETIME value, must be >= 0")
	ErrFreq             = Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
	ErrPayload          = Error("ERR DUMP payload version or checksum are wrong")
	ErrBadData          = Error("ERR Bad data format")
	ErrNotHLL           = Error("WRONGTYPE Key is not a valid HyperLogLog string value.")
	ErrHLLNoKey         = Error("ERR The specified key does not exist")
	ErrHLLNotSparse     = Error("ERR HLL encoding is not sparse")
	ErrNoScript         = Error("NOSCRIPT No matching script. Please use EVAL.")
	ErrNegativeKeys     = Error("ERR Number of keys can't be negative")
	ErrKeysBeyondArgs   = Error("ERR Number of keys can't be greater than number of args")
	ErrBadKeyCount      = Error("ERR Bad number of keys provided")
	ErrNotReadOnly      = Error("ERR Can not execute a script with write flag using *_ro command.")
	ErrScriptUnknown    = Error("ERR Unknown Redis command called from script")
	ErrScriptArity      = Error("ERR Wrong number of args calling Redis command from script")
	ErrScriptForbidden  = Error("ERR This Redis command is not allowed from script")
	ErrScriptReadOnly   = Error("ERR Write commands are not allowed from read-only scripts.")
	ErrScriptFlush      = Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
	ErrScriptDebug      = Error("ERR Use SCRIPT DEBUG YES/SYNC/NO")
	ErrScriptDebugger   = Error("ERR There is no script debugger in this server")
	ErrNotBusy          = Error("NOTBUSY No scripts in execution right now.")
	ErrUnkillable       = Error("UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
	ErrNoFunction       = Error("ERR Function not found")
	ErrNoLibrary        = Error("ERR Library not found")
	ErrFunctionFlush    = Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	ErrLibraryName      = Error("ERR library name argument was not given")
	ErrRestorePolicy    = Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
	ErrFunctionPayload  = Error("ERR failed loading the given functions payload")
	ErrSortScores       = Error("ERR One or more scores can't be converted into double")
	ErrGroupNoKey       = Error("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
	ErrBusyGroup        = Error("BUSYGROUP Consumer Group name already exists")
	ErrEntriesRead      = Error("ERR value for ENTRIESREAD must be positive or -1")
	ErrClaimMinIdle     = Error("ERR Invalid min-idle-time argument for XCLAIM")
	ErrClaimIdle        = Error("ERR Invalid IDLE option argument for XCLAIM")
	ErrClaimTime        = Error("ERR Invalid TIME option argument for XCLAIM")
	ErrClaimRetries     = Error("ERR Invalid RETRYCOUNT option argument for XCLAIM")
	ErrAutoclaimMinIdle = Error("ERR Invalid min-idle-time argument for XAUTOCLAIM")
	ErrClaimMemory      = Error("ERR Insufficient memory, failed allocating transient memory, COUNT too high.")
	ErrMonitorMulti     = Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
	ErrMonitorKeys      = Error("ERR Replica can't interact with the keyspace")
	ErrSlowCount        = Error("ERR count should be greater than or equal to -1")
	ErrSSubscribeMulti  = Error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
)

// What commands on streams answer.
const (
	ErrStreamID        = Error("ERR Invalid stream ID specified as stream command argument")
	ErrRangeStart      = Error("ERR invalid start ID for the interval")
	ErrRangeEnd        = Error("ERR invalid end ID for the interval")
	ErrStreamZero      = Error("ERR The ID specified in XADD must be greater than 0-0")
	ErrStreamOrder     = Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	ErrStreamExhausted = Error("ERR The stream has exhausted the last possible ID, unable to add more items")
	ErrStreamTooLarge  = Error("ERR Elements are too large to be stored")
	ErrTrimTwice       = Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
	ErrTrimMaxLen      = Error("ERR The MAXLEN argument must be >= 0.")
	ErrTrimLimit       = Error("ERR The LIMIT argument must be >= 0.")
	ErrTrimLimitAlone  = Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	ErrTrimLimitExact  = Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
	ErrTrimNoStrategy  = Error("ERR syntax error, XTRIM must be called with a trimming strategy")
	ErrEntriesAdded    = Error("ERR entries_added must be positive")
	ErrSetIDDeleted    = Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
	ErrSetIDWasDeleted = Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	ErrSetIDTop        = Error("ERR The ID specified in XSETID is smaller than the target stream top item")
	ErrSetIDLength     = Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
	ErrNumIDs          = Error("ERR Number of IDs must be a positive integer")
	ErrIDsCount        = Error("ERR The `numids` parameter must match the number of arguments")
	ErrIDsMissing      = Error("ERR IDS option is required")
	ErrUnbalanced      = Error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
	ErrXreadGroup      = Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
	ErrXreadNoAck      = Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
	ErrXreadNew        = Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
	ErrNoGroupOption   = Error("ERR Missing GROUP option for XREADGROUP")
	ErrGroupLast       = Error("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
	ErrGroupPlus       = Error("ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.")
	ErrStreamGone      = Error("UNBLOCKED the stream key no longer exists")
	ErrGroupGone       = Error("NOGROUP the consumer group this client was blocked on no longer exists")
)

// errReadNoGroup is for a group that is not there.
func errReadNoGroup(key, group []byte) error {
	return errorf("NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option", key, group)
}

// ErrWrongType is the store's error; its text goes out as it is.
var ErrWrongType = store.ErrWrongType

func errArity(s *Spec) error {
	return errorf("ERR wrong number of arguments for '%s' command", s.full)
}

// ErrBusyScript is the reply while a script of EVAL takes too long.
const ErrBusyScript Error = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."

// ErrBusyFunction is the reply while a function takes too long.
const ErrBusyFunction Error = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."

// errExecRefused is the reply of an EXEC that was refused itself: the transaction is over.
func errExecRefused(err error) error {
	return Error("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(err.Error(), "ERR "))
}

func errUnknownArgument(arg []byte) error { return errorf("ERR unknown argument: %s", arg) }

func errExpireTime(s *Spec) error {
	return errorf("ERR invalid expire time in '%s' command", s.full)
}

func errNoInputKey(s *Spec) error {
	return errorf("ERR at least 1 input key is needed for '%s' command", s.full)
}

// errBitopSources is for an operation that needs a first and other sources.
func errBitopSources(op string) error {
	return errorf("ERR BITOP %s must be called with at least two source keys.", op)
}

func errSubscriber(s *Spec) error {
	return errorf("ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", s.full)
}

// errProtected is for a command that a parameter must allow first.
func errProtected(command, param string) error {
	return errorf("ERR %s command not allowed. If the %s option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.", command, param)
}

// errNoGroup is for the commands that look at a stream first.
func errNoGroup(key, group []byte) error {
	return errorf("NOGROUP No such consumer group '%s' for key name '%s'", group, key)
}

// errNoKeyOrGroup is for the commands that look at stream and group at once.
func errNoKeyOrGroup(key, group []byte) error {
	return errorf("NOGROUP No such key '%s' or consumer group '%s'", key, group)
}

func errClaimOption(option []byte) error {
	return errorf("ERR Unrecognized XCLAIM option '%s'", option)
}

func errExpireOption(option []byte) error { return errorf("ERR Unsupported option %s", option) }

func errHelloOption(option []byte) error {
	return errorf("ERR Syntax error in HELLO option '%s'", option)
}

func errClientOption(option []byte) error { return errorf("ERR Unrecognized option '%s'", option) }

func errReplconf(option []byte) error { return errorf("ERR Unrecognized REPLCONF option: %s", option) }

func errExportFilter(what []byte) error {
	return errorf("ERR Unsupported rdb-filter-only option: %s", what)
}

func errClientInfo(option []byte) error {
	return errorf("ERR %s cannot contain spaces, newlines or special characters.", option)
}

func errPfdebug(sub []byte) error { return errorf("ERR Unknown PFDEBUG subcommand '%s'", sub) }

func errSelftest(reason error) error { return Error("TESTFAILED " + reason.Error()) }

func errClientType(kind []byte) error { return errorf("ERR Unknown client type '%s'", kind) }

func errNoUser(name string) error { return errorf("ERR No such user '%s'", name) }

// errGeoPair is for coordinates that no point has.
func errGeoPair(lon, lat float64) error {
	return errorf("ERR invalid longitude,latitude pair %s,%s", sixDecimals(lon), sixDecimals(lat))
}

// sixDecimals prints a number as %f of C does.
func sixDecimals(f float64) string {
	if math.IsInf(f, 0) {
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'f', 6, 64), "+"))
	}
	return strconv.FormatFloat(f, 'f', 6, 64)
}

// errGeoStore is for options that only a reply has room for, in a command that stores.
func errGeoStore(what string) error {
	return errorf("ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options", what)
}

func errGeoFrom(name []byte) error {
	return errorf("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %s", name)
}

func errGeoBy(name []byte) error {
	return errorf("ERR exactly one of BYRADIUS and BYBOX can be specified for %s", name)
}

// errNoSamples is for LATENCY GRAPH.
func errNoSamples(event []byte) error {
	return errorf("ERR No samples available for event '%s'", event)
}

// errSubcommandArity is for subcommands that check their number of arguments themselves.
func errSubcommandArity(container string, sub []byte) error {
	return errorf("ERR unknown subcommand or wrong number of arguments for '%.128s'. Try %s HELP.", sub, container)
}

// ErrConfig is the reply to a CONFIG SET that was refused for the given reason.
func ErrConfig(reason error) error { return Error("ERR " + reason.Error()) }

// ErrConfigRewrite is the reply to a CONFIG REWRITE that failed for the given reason.
func ErrConfigRewrite(reason error) error {
	return Error("ERR Rewriting config file: " + reason.Error())
}

// ErrProtocol is the last reply to a client that broke the protocol.
func ErrProtocol(violation error) Error { return Error("ERR Protocol error: " + violation.Error()) }

func errUnknownSubcommand(container, sub []byte) error {
	return errorf("ERR unknown subcommand '%.128s'. Try %s HELP.", sub, bytes.ToUpper(container))
}

// untilNUL is how much of an argument Redis quotes, which prints it as a C string.
func untilNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// errUnknownCommand quotes at most 128 bytes of the name and as many of the arguments; CR and LF cannot get through
// because the reply writer replaces them.
func errUnknownCommand(args [][]byte) error {
	text := fmt.Sprintf("ERR unknown command '%.128s', with args beginning with: ", untilNUL(args[0]))
	left := 128
	for _, a := range args[1:] {
		if left <= 0 {
			break
		}
		if len(a) > left {
			a = a[:left]
		}
		s := fmt.Sprintf("'%s' ", untilNUL(a))
		text += s
		left -= len(s)
	}
	return Error(text)
}

// ErrMisconfAOF is the reply to a write while the append-only file cannot take it.
func ErrMisconfAOF(reason error) error {
	return errorf("MISCONF Errors writing to the AOF file: %v", reason)
}
