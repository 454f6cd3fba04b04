#!/bin/sh
# Makes tools/font/DejaVuSans-subset.ttf from DejaVu Sans 2.37: the scripts that are written from left
# to right without shaping, symbols, and the kern table; no hinting, which stb_truetype ignores.
#   scripts/subset_font.sh DejaVuSans.ttf     (needs pyftsubset of fonttools)
set -eu
cd "$(dirname "$0")/.."
pyftsubset "$1" --output-file=tools/font/DejaVuSans-subset.ttf \
    --no-hinting --legacy-kern --layout-features='' --no-recalc-timestamp \
    --drop-tables+=GPOS,GSUB,GDEF,FFTM,MATH \
    --unicodes=20-7E,A0-36F,370-3FF,400-52F,531-58A,10A0-10FF,1E00-1FFF,2010-2027,2030-205E,2070-209F,20A0-20BF,2100-218F,2190-21FF,2200-22FF,2300-23FF,2400-243F,2460-24FF,2500-25FF,2600-26FF,2701-27BF,27C0-27EF,FB00-FB06,FFFD
