package commands

// clusterRow is a subcommand of CLUSTER. Servers here are no nodes of a cluster, and answer as redis-server does when
// cluster-enabled is off.
func clusterRow(name, syntax string, arity int, flags Flags, since, summary string) Spec {
	return Spec{Name: name, Syntax: syntax, Arity: arity, Flags: flags | Stale, Since: since, Complexity: "O(1)", Summary: summary, Run: clusterOff}
}

func varying(row Spec) Spec {
	row.Tips = []string{"nondeterministic_output"}
	return row
}

const changesCluster = Admin | NoAsyncLoading

var clusterCommands = []Spec{
	{Name: "CLUSTER", Arity: -2, Group: GroupCluster, Since: "3.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands of nodes of a cluster.", Sub: []Spec{
			clusterRow("ADDSLOTS", "slot [slot ...]", -3, changesCluster, "3.0.0", "Gives slots to the node."),
			clusterRow("ADDSLOTSRANGE", "start-slot end-slot [start-slot end-slot ...]", -4, changesCluster, "7.0.0", "Gives ranges of slots to the node."),
			varying(clusterRow("BUMPEPOCH", "", 2, changesCluster, "3.0.0", "Advances the epoch of the cluster.")),
			varying(clusterRow("COUNT-FAILURE-REPORTS", "node-id", 3, Admin, "3.0.0", "Counts the reports that a node has failed.")),
			clusterRow("COUNTKEYSINSLOT", "slot", 3, 0, "3.0.0", "Counts the keys of a slot."),
			clusterRow("DELSLOTS", "slot [slot ...]", -3, changesCluster, "3.0.0", "Takes slots from the node."),
			clusterRow("DELSLOTSRANGE", "start-slot end-slot [start-slot end-slot ...]", -4, changesCluster, "7.0.0", "Takes ranges of slots from the node."),
			clusterRow("FAILOVER", "[FORCE | TAKEOVER]", -2, changesCluster, "3.0.0", "Makes a replica the master."),
			clusterRow("FLUSHSLOTS", "", 2, changesCluster, "3.0.0", "Takes all slots from the node."),
			clusterRow("FORGET", "node-id", 3, changesCluster, "3.0.0", "Removes a node."),
			varying(clusterRow("GETKEYSINSLOT", "slot count", 4, 0, "3.0.0", "Returns keys of a slot.")),
			clusterRow("HELP", "", 2, Loading, "5.0.0", "Describes the subcommands."),
			varying(clusterRow("INFO", "", 2, 0, "3.0.0", "Describes the cluster.")),
			clusterRow("KEYSLOT", "key", 3, 0, "3.0.0", "Returns the slot of a key."),
			varying(clusterRow("LINKS", "", 2, 0, "7.0.0", "Lists the connections to other nodes.")),
			clusterRow("MEET", "ip port [cluster-bus-port]", -4, changesCluster, "3.0.0", "Adds a node."),
			clusterRow("MYID", "", 2, 0, "3.0.0", "Returns the id of the node."),
			varying(clusterRow("MYSHARDID", "", 2, 0, "7.2.0", "Returns the id of the node's shard.")),
			varying(clusterRow("NODES", "", 2, 0, "3.0.0", "Lists the nodes.")),
			varying(clusterRow("REPLICAS", "node-id", 3, Admin, "5.0.0", "Lists the replicas of a node.")),
			clusterRow("REPLICATE", "node-id", 3, changesCluster, "3.0.0", "Makes the node a replica."),
			clusterRow("RESET", "[HARD | SOFT]", -2, Admin|NoScript, "3.0.0", "Resets the node."),
			clusterRow("SAVECONFIG", "", 2, changesCluster, "3.0.0", "Saves the node's state."),
			clusterRow("SET-CONFIG-EPOCH", "config-epoch", 3, changesCluster, "3.0.0", "Sets the epoch of a new node."),
			clusterRow("SETSLOT", "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>", -4, changesCluster, "3.0.0", "Says whose a slot is."),
			varying(clusterRow("SHARDS", "", 2, Loading, "7.0.0", "Lists slots and their nodes.")),
			varying(clusterRow("SLAVES", "node-id", 3, Admin, "3.0.0", "Lists the replicas of a node.")),
			varying(clusterRow("SLOTS", "", 2, Loading, "3.0.0", "Lists slots and their nodes.")),
		}},
	{Name: "ASKING", Arity: 1, Flags: Fast, Group: GroupCluster, Category: "@connection", Since: "3.0.0",
		Complexity: "O(1)", Summary: "Follows an -ASK redirection.", Run: clusterOff},
	{Name: "READONLY", Arity: 1, Flags: Loading | Stale | Fast, Group: GroupCluster, Category: "@connection", Since: "3.0.0",
		Complexity: "O(1)", Summary: "Lets the connection read from a replica of a cluster.", Run: clusterOff},
	{Name: "READWRITE", Arity: 1, Flags: Loading | Stale | Fast, Group: GroupCluster, Category: "@connection", Since: "3.0.0",
		Complexity: "O(1)", Summary: "Ends READONLY.", Run: clusterOff},
}

func clusterOff(*Call) error { return ErrClusterOff }
