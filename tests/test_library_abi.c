/* The values and structs that kernels/ writes down for NVIDIA's libraries, so that it builds without their headers, against
 * those headers where the toolkit has them. The comparison is the compiler's; running says what was compared. */
#include "cublaslt_abi.h"
#include "cudnn_abi.h"

#include <stdio.h>

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours " is not " #theirs)

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
static const char cublaslt_header[] = "the same as in cublasLt.h";
SAME(LT_SUCCESS, CUBLAS_STATUS_SUCCESS);
SAME(LT_R_32F, CUDA_R_32F);
SAME(LT_R_16F, CUDA_R_16F);
SAME(LT_R_16BF, CUDA_R_16BF);
SAME(LT_COMPUTE_32F, CUBLAS_COMPUTE_32F);
SAME(LT_OP_T, CUBLAS_OP_T);
SAME(LT_LAYOUT_BATCH_COUNT, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
SAME(LT_LAYOUT_BATCH_STRIDE, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
SAME(LT_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(LT_DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(LT_DESC_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(LT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_DEFAULT);
SAME(LT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU);
SAME(LT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS);
SAME(LT_EPILOGUE_RELU | LT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS);
SAME(LT_PREF_WORKSPACE, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(LT_PREF_REDUCTION_MASK, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(LT_PREF_ALIGNMENT_A, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(LT_PREF_ALIGNMENT_A + 3, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
SAME(LT_REDUCTION_NONE, CUBLASLT_REDUCTION_SCHEME_NONE);
SAME(sizeof(lt_algorithm), sizeof(cublasLtMatmulAlgo_t));
SAME(sizeof(lt_heuristic), sizeof(cublasLtMatmulHeuristicResult_t));
SAME(offsetof(lt_heuristic, workspace_bytes), offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
SAME(offsetof(lt_heuristic, state), offsetof(cublasLtMatmulHeuristicResult_t, state));
SAME(sizeof(int), sizeof(cublasLtMatmulDescAttributes_t)); /* enums travel as int */
#else
static const char cublaslt_header[] = "no cublasLt.h to compare with";
#endif

#if __has_include(<cudnn.h>)
#include <cudnn.h>
static const char cudnn_header[] = "the same as in cudnn.h";
SAME(DNN_SUCCESS, CUDNN_STATUS_SUCCESS);
SAME(DNN_HALF, CUDNN_DATA_HALF);
SAME(DNN_BFLOAT16, CUDNN_DATA_BFLOAT16);
SAME(DNN_FLOAT, CUDNN_DATA_FLOAT);
SAME(DNN_NHWC, CUDNN_TENSOR_NHWC);
SAME(DNN_CROSS_CORRELATION, CUDNN_CROSS_CORRELATION);
SAME(DNN_TENSOR_OP_MATH, CUDNN_TENSOR_OP_MATH);
SAME(DNN_IDENTITY, CUDNN_ACTIVATION_IDENTITY);
SAME(DNN_RELU, CUDNN_ACTIVATION_RELU);
SAME(DNN_PROPAGATE_NAN, CUDNN_PROPAGATE_NAN);
SAME(DNN_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
SAME(sizeof(int), sizeof(cudnnConvolutionFwdAlgo_t)); /* enums travel as int */
#else
static const char cudnn_header[] = "no cudnn.h to compare with";
#endif

int main(void)
{
    printf("cuBLASLt: %s\ncuDNN: %s\n", cublaslt_header, cudnn_header);
    return 0;
}
