# lookalike on the CPU, as a command: docs/how-to.md has the lines. TORCH_INDEX is PyTorch's CPU index, which the installation
# page of pytorch.org names; without it torch brings CUDA libraries of several GB.
FROM python:3.13-slim
ARG TORCH_INDEX=""
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[page,onnx,dicom,heic]" \
    && rm -rf /source
RUN useradd --create-home user && mkdir /work && chown user /work
USER user
WORKDIR /work
ENTRYPOINT ["lookalike"]
CMD ["--help"]
