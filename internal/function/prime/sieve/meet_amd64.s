//go:build !purego

#include "textflag.h"

// func meetAVX2(out *[batchSize]uint32, primes []uint32, w *meeting) int
//
// Four primes at a time; all numbers are whole and below 2^53, so that every
// step is exact but the two quotients, which are put right where it matters.
TEXT ·meetAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ primes_base+8(FP), SI
	MOVQ primes_len+16(FP), R11
	LEAQ (SI)(R11*4), R11
	MOVQ w+32(FP), R8
	VBROADCASTSD 0(R8), Y15  // high
	VBROADCASTSD 8(R8), Y14  // low
	VBROADCASTSD 16(R8), Y13 // span
	VBROADCASTSD 24(R8), Y12 // 2^52
	VBROADCASTSD 32(R8), Y11 // 210
	VBROADCASTSD 40(R8), Y10 // 1/210
	VBROADCASTSD 48(R8), Y9  // 1
	LEAQ 64(R8), R10         // places of the primes to keep
	LEAQ 320(R8), R9         // ahead
	VXORPD Y8, Y8, Y8
	XORQ CX, CX

loop:
	VPMOVZXDQ (SI), Y0
	VPOR   Y12, Y0, Y0
	VSUBPD Y12, Y0, Y0 // p
	VDIVPD Y0, Y15, Y1
	VROUNDPD $3, Y1, Y1 // q
	VMOVAPD Y15, Y2
	VFNMADD231PD Y0, Y1, Y2
	VADDPD Y14, Y2, Y2 // r = high - q*p + low
	VCMPPD $1, Y8, Y2, Y4 // r < 0: q is one too many
	VANDPD Y0, Y4, Y5
	VADDPD Y5, Y2, Y2
	VANDPD Y9, Y4, Y4
	VSUBPD Y4, Y1, Y1
	VCMPPD $13, Y0, Y2, Y4 // r >= p: one too few
	VANDPD Y0, Y4, Y5
	VSUBPD Y5, Y2, Y2
	VANDPD Y9, Y4, Y4
	VADDPD Y4, Y1, Y1
	VADDPD Y9, Y1, Y1 // m = q + 1
	VSUBPD Y2, Y0, Y2 // distance = p - r
	VMULPD Y10, Y1, Y3
	VROUNDPD $1, Y3, Y3
	VFNMADD231PD Y11, Y3, Y1 // m modulo 210; 210 may stand for 0
	VCVTTPD2DQY Y1, X3
	VPCMPEQD Y4, Y4, Y4
	VGATHERDPD Y4, (R9)(X3*8), Y5
	VFMADD231PD Y5, Y0, Y2 // distance += p*ahead
	VCMPPD $2, Y13, Y2, Y4 // distance <= span
	VMOVMSKPD Y4, AX
	MOVQ AX, BX
	SHLQ $4, BX
	VMOVDQU (R10)(BX*1), X6
	VMOVDQU (SI), X7
	VPERMILPS X6, X7, X7
	VMOVDQU X7, (DI)(CX*4)
	POPCNTL AX, AX
	ADDQ AX, CX
	ADDQ $16, SI
	CMPQ SI, R11
	JB   loop
	VZEROUPPER
	MOVQ CX, ret+40(FP)
	RET
