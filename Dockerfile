# CPU:      docker build -t jaxpath .
# GPU:      docker build -t jaxpath:cuda --build-arg JAX='jax[cuda13]' .
# TPU VM:   docker build -t jaxpath:tpu --build-arg JAX='jax[tpu]' .
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# One resolution of both, so that jax is a release that jaxpath was tested with.
ARG JAX=jax
ARG EXTRAS=hub,gcs
WORKDIR /jaxpath
COPY LICENSE README.md pyproject.toml requirements.txt setup.cfg ./
COPY jaxpath jaxpath
RUN pip install --no-cache-dir "${JAX}" ".[${EXTRAS}]"
COPY experiments experiments

# What is kept between starts; mount a folder here to keep it longer than the container.
ENV XDG_CACHE_HOME=/cache
RUN mkdir --mode=1777 /cache
CMD ["jaxpath", "--help"]
