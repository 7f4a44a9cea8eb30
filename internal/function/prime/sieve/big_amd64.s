//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// func crossBigAMD64(b *big, buf pointer, entries []uint64) (done, list int)
TEXT ·crossBigAMD64(SB), NOSPLIT, $0-56
	MOVQ b+0(FP), AX
	MOVQ big_lists(AX), R9
	MOVQ big_lists+8(AX), R13
	DECQ R13 // the grave
	MOVQ big_steps(AX), R10
	MOVQ big_shift(AX), CX
	MOVQ big_arena(AX), R8
	MOVQ arena_words(R8), R8
	MOVQ $1, R11
	SHLQ CX, R11
	DECQ R11 // mask of the offset in a segment
	MOVQ buf+8(FP), DI
	MOVQ entries_base+16(FP), SI
	MOVQ entries_len+24(FP), DX
	LEAQ (SI)(DX*8), DX

loop:
	MOVL (SI), AX
	MOVL 4(SI), R15 // q
	MOVL AX, BX
	ANDL $const_offsetMask, AX // offset
	SHRL $const_offsetBits, BX // state
	MOVBLZX step_mask(R10)(BX*8), R12
	ANDB R12, (DI)(AX*1)
	MOVBLZX step_gap(R10)(BX*8), R12
	IMULQ R15, R12
	ADDQ R12, AX
	MOVBLZX step_carry(R10)(BX*8), R12
	ADDQ R12, AX
	MOVQ AX, R12
	SHRQ CX, R12
	CMPQ R12, R13
	CMOVQHI R13, R12 // list
	ANDQ R11, AX
	MOVQ (R9)(R12*8), R14 // cursor
	TESTQ $const_blockMask, R14
	JEQ  full
	ORL  step_next(R10)(BX*8), AX
	MOVL AX, (R8)(R14*8)
	MOVL R15, 4(R8)(R14*8)
	INCQ R14
	MOVQ R14, (R9)(R12*8)
	ADDQ $8, SI
	CMPQ SI, DX
	JB   loop

full:
	SUBQ entries_base+16(FP), SI
	SHRQ $3, SI
	MOVQ SI, done+40(FP)
	MOVQ R12, list+48(FP)
	RET
