"""What can be asked of the benchmark."""

PARTS = ("latency", "throughput", "training", "memory", "starts", "pipeline", "loop")
DTYPES = ("float32", "bfloat16")
TORCH_VARIANTS = ("eager", "eager_channels_last", "compile", "compile_channels_last")
