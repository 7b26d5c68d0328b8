package lua

// opcode is what an instruction does. R is the frame's registers, K the prototype's constants.
type opcode uint8

const (
	opMove      opcode = iota // R[a] = R[b]
	opLoadK                   // R[a] = K[c]
	opLoadNil                 // R[a..b] = nil
	opLoadBool                // R[a] = b != 0, then jump to c if c > 0
	opGetUpval                // R[a] = upvalue b
	opSetUpval                // upvalue b = R[a]
	opGetGlobal               // R[a] = globals[K[c]]
	opSetGlobal               // globals[K[c]] = R[a]
	opGetTable                // R[a] = R[b][R[c]]
	opGetField                // R[a] = R[b][K[c]], a string
	opGetInt                  // R[a] = R[b][c]
	opSetTable                // R[a][R[b]] = R[c]
	opSetField                // R[a][K[c]] = R[b], a string
	opNewTable                // R[a] = {} with room for b and c
	opSelf                    // R[a+1] = R[b]; R[a] = R[b][K[c]]
	opAdd                     // R[a] = R[b] + R[c]
	opSub
	opMul
	opDiv
	opMod
	opPow
	opAddK // R[a] = R[b] + K[c], a number
	opSubK
	opMulK
	opDivK
	opModK
	opPowK
	opNeg    // R[a] = -R[b]
	opNot    // R[a] = not R[b]
	opLen    // R[a] = #R[b]
	opConcat // R[a] = R[b] .. ... .. R[c]
	opJump   // to c
	opLoop   // to c, backwards
	opEq     // to c if R[a] == R[b]
	opNe
	opEqK // to c if R[a] == K[b]
	opNeK
	opLt // to c if R[a] < R[b]
	opNotLt
	opLe
	opNotLe
	opTrue     // to c if R[a]
	opFalse    // to c if not R[a]
	opCall     // R[a], ... = R[a](R[a+1], ... b-1 arguments), c-1 results; 0 for what there is
	opTailCall // return R[a](...)
	opReturn   // return R[a], ... b-1 values
	opForPrep  // numeric loop: check R[a..a+2], to c
	opForLoop  // step, to c while it goes on
	opTFor     // R[a+3], ... c values = R[a](R[a+1], R[a+2]); skip the next instruction at the end
	opSetList  // R[a][c+i] = R[a+i] for b values, 0 for what there is
	opClose    // close variables from R[a]
	opClosure  // R[a] = closure of prototype c
	opVararg   // R[a], ... b-1 values = ...
)

type inst struct {
	op opcode
	a  uint8
	b  uint16
	c  int32
}

// Proto is a compiled function. It is immutable: any number of states may use it at the same time.
type Proto struct {
	code    []inst
	k       []Value
	hash    []uint32 // of constants that are strings
	protos  []*Proto
	ups     []upvalDesc
	lines   []int32
	desc    map[int]operand // what instructions work on, for messages: key pc<<8 | place
	params  int
	dots    bool
	needArg bool // the variable arg is to be filled
	stack   int  // registers needed
	chunk   string
	line    int // where it begins, 0 for a main chunk
	tree    *funcExpr
}

type upvalDesc struct {
	local bool // a register of the enclosing function, otherwise one of its upvalues
	idx   int
	name  string
}

// operand says where a value came from.
type operand struct{ kind, name string }
