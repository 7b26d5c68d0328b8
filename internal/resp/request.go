package resp

// AppendRequest appends a request as clients send it: an array of bulk strings, the name of the command first.
func AppendRequest[S ~string | ~[]byte](b []byte, args ...S) []byte {
	b = appendHeader(b, '*', int64(len(args)))
	for _, a := range args {
		b = append(appendHeader(b, '$', int64(len(a))), a...)
		b = append(b, '\r', '\n')
	}
	return b
}
