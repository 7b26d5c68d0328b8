package commands

// keysOf is the key specification of what runs scripts: a number of keys that may be none.
func keysOf(f KeyFlags) []KeySpec {
	k := Counted(2, f)
	k.None = true
	return []KeySpec{k}
}

const (
	scriptFlags = NoScript | Stale | SkipMonitor | MayReplicate | NoMandatoryKeys | OwnLocks
	scriptROs   = ReadOnly | NoScript | Stale | SkipMonitor | NoMandatoryKeys | OwnLocks

	scriptCost = "Depends on the script that is executed."
	callSyntax = " numkeys [key [key ...]] [arg [arg ...]]"
)

var scriptCommands = []Spec{
	{Name: "EVAL", Syntax: "script" + callSyntax, Arity: -3, Keys: keysOf(RW | Access | Update), Flags: scriptFlags, Group: GroupScripting,
		Since: "2.6.0", Complexity: scriptCost, Summary: "Runs a Lua script.", Endless: scriptEndless, Scope: scriptScope, Run: eval},
	{Name: "EVALSHA", Syntax: "sha1" + callSyntax, Arity: -3, Keys: keysOf(RW | Access | Update), Flags: scriptFlags, Group: GroupScripting,
		Since: "2.6.0", Complexity: scriptCost, Summary: "Runs a cached Lua script by its SHA1 digest.", Endless: scriptEndless, Scope: scriptScope, Run: eval},
	{Name: "EVAL_RO", Syntax: "script" + callSyntax, Arity: -3, Keys: keysOf(RO | Access), Flags: scriptROs, Group: GroupScripting,
		Since: "7.0.0", Complexity: scriptCost, Summary: "Runs a Lua script that only reads.", Endless: scriptEndless, Scope: scriptScope, Run: eval},
	{Name: "EVALSHA_RO", Syntax: "sha1" + callSyntax, Arity: -3, Keys: keysOf(RO | Access), Flags: scriptROs, Group: GroupScripting,
		Since: "7.0.0", Complexity: scriptCost, Summary: "Runs a cached Lua script that only reads, by its SHA1 digest.", Endless: scriptEndless, Scope: scriptScope, Run: eval},
	{Name: "FCALL", Syntax: "function" + callSyntax, Arity: -3, Keys: keysOf(RW | Access | Update), Flags: scriptFlags, Group: GroupScripting,
		Since: "7.0.0", Complexity: "Depends on the function that is executed.", Summary: "Calls a function.", Endless: scriptEndless, Scope: scriptScope, Run: eval},
	{Name: "FCALL_RO", Syntax: "function" + callSyntax, Arity: -3, Keys: keysOf(RO | Access), Flags: scriptROs, Group: GroupScripting,
		Since: "7.0.0", Complexity: "Depends on the function that is executed.", Summary: "Calls a function that only reads.", Endless: scriptEndless, Scope: scriptScope, Run: eval},
	{Name: "SCRIPT", Arity: -2, Group: GroupScripting, Since: "2.6.0", Complexity: "Depends on subcommand.", Summary: "Commands about the cache of scripts.", Sub: []Spec{
		{Name: "DEBUG", Syntax: "YES | SYNC | NO", Arity: 3, Flags: NoScript, Group: GroupScripting, Since: "3.2.0", Complexity: "O(1)",
			Summary: "Chooses whether scripts run in a debugger.", Run: scriptDebug},
		{Name: "EXISTS", Syntax: "sha1 [sha1 ...]", Arity: -3, Flags: NoScript, Group: GroupScripting, Since: "2.6.0",
			Complexity: "O(N) with N being the number of scripts to check.", Tips: []string{"request_policy:all_shards", "response_policy:agg_logical_and"},
			Summary: "Tells which scripts are in the cache.", Run: scriptExists},
		{Name: "FLUSH", Syntax: "[ASYNC | SYNC]", Arity: -2, Flags: NoScript, Group: GroupScripting, Since: "2.6.0",
			Complexity: "O(N) with N being the number of scripts in cache", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			History: [][2]string{{"6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers."}},
			Summary: "Empties the cache of scripts.", Run: scriptFlush},
		{Name: "HELP", Arity: 2, Flags: Loading | Stale, Group: GroupScripting, Since: "5.0.0", Complexity: "O(1)", Summary: "Prints help.", Run: scriptHelp},
		{Name: "KILL", Arity: 2, Flags: NoScript | AllowBusy, Group: GroupScripting, Since: "2.6.0", Complexity: "O(1)",
			Tips: []string{"request_policy:all_shards", "response_policy:one_succeeded"}, Summary: "Ends the script that runs, if it has not written.", Run: scriptKill},
		{Name: "LOAD", Syntax: "script", Arity: 3, Flags: NoScript | Stale, Group: GroupScripting, Since: "2.6.0",
			Complexity: "O(N) with N being the length in bytes of the script body.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			Summary: "Compiles a script and keeps it.", Run: scriptLoad},
	}},
	{Name: "FUNCTION", Arity: -2, Group: GroupScripting, Since: "7.0.0", Complexity: "Depends on subcommand.", Summary: "Commands about libraries of functions.", Sub: []Spec{
		{Name: "DELETE", Syntax: "library-name", Arity: 3, Flags: Write | NoScript, Group: GroupScripting, Since: "7.0.0", Complexity: "O(1)",
			Tips: everywhere, Summary: "Deletes a library with its functions.", Run: functionDelete},
		{Name: "DUMP", Arity: 2, Flags: NoScript, Group: GroupScripting, Since: "7.0.0", Complexity: "O(N) where N is the number of functions",
			Summary: "Returns all libraries in a form for FUNCTION RESTORE.", Run: functionDump},
		{Name: "FLUSH", Syntax: "[ASYNC | SYNC]", Arity: -2, Flags: Write | NoScript, Group: GroupScripting, Since: "7.0.0",
			Complexity: "O(N) where N is the number of functions deleted", Tips: everywhere, Summary: "Deletes all libraries.", Run: functionFlush},
		{Name: "HELP", Arity: 2, Flags: Loading | Stale, Group: GroupScripting, Since: "7.0.0", Complexity: "O(1)", Summary: "Prints help.", Run: functionHelp},
		{Name: "KILL", Arity: 2, Flags: NoScript | AllowBusy, Group: GroupScripting, Since: "7.0.0", Complexity: "O(1)",
			Tips: []string{"request_policy:all_shards", "response_policy:one_succeeded"}, Summary: "Ends the function that runs, if it has not written.", Run: functionKill},
		{Name: "LIST", Syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]", Arity: -2, Flags: NoScript, Group: GroupScripting, Since: "7.0.0",
			Complexity: "O(N) where N is the number of functions", Tips: []string{"nondeterministic_output_order"}, Summary: "Lists the libraries.", Run: functionList},
		{Name: "LOAD", Syntax: "[REPLACE] function-code", Arity: -3, Flags: Write | DenyOOM | NoScript, Group: GroupScripting, Since: "7.0.0",
			Complexity: "O(1) (considering compilation time is redundant)", Tips: everywhere, Summary: "Makes a library.", Run: functionLoad},
		{Name: "RESTORE", Syntax: "serialized-value [FLUSH | APPEND | REPLACE]", Arity: -3, Flags: Write | DenyOOM | NoScript, Group: GroupScripting, Since: "7.0.0",
			Complexity: "O(N) where N is the number of functions on the payload", Tips: everywhere, Summary: "Makes the libraries of a dump.", Run: functionRestore},
		{Name: "STATS", Arity: 2, Flags: NoScript | AllowBusy, Group: GroupScripting, Since: "7.0.0", Complexity: "O(1)",
			Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}, Summary: "Tells what function runs, and how many there are.", Run: functionStats},
	}},
}

var everywhere = []string{"request_policy:all_shards", "response_policy:all_succeeded"}

var scriptHelpLines = [...]string{
	"SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
	"DEBUG (YES|SYNC|NO)", "    Choose whether scripts run in a debugger; there is none here.",
	"EXISTS <sha1> [<sha1> ...]", "    Tell which scripts are in the cache.",
	"FLUSH [ASYNC|SYNC]", "    Empty the cache of scripts.",
	"KILL", "    End the script that runs, unless it has written.",
	"LOAD <script>", "    Compile a script and keep it.",
	"HELP", "    Print this help.",
}

var functionHelpLines = [...]string{
	"FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
	"LOAD [REPLACE] <FUNCTION CODE>", "    Make a library.",
	"DELETE <LIBRARY NAME>", "    Delete a library.",
	"LIST [LIBRARYNAME PATTERN] [WITHCODE]", "    List libraries with their functions, and with their code if asked.",
	"STATS", "    Tell what function runs, and how many there are.",
	"KILL", "    End the function that runs, unless it has written.",
	"FLUSH [ASYNC|SYNC]", "    Delete all libraries.",
	"DUMP", "    Return all libraries in a form for RESTORE.",
	"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]", "    Make the libraries of a dump.",
	"HELP", "    Print this help.",
}

func scriptHelp(c *Call) error { return c.help(scriptHelpLines[:]) }

func functionHelp(c *Call) error { return c.help(functionHelpLines[:]) }

func (c *Call) help(lines []string) error {
	c.Array(len(lines))
	for _, line := range lines {
		c.Simple(line)
	}
	return nil
}
