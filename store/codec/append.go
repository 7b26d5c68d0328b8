package codec

// Into makes w, which has no sink, append to dst from now on; Bytes returns the result. So one Writer, with its tables for
// compression, writes many values to buffers that are somebody else's.
func (w *Writer) Into(dst []byte) { w.buf = dst }
