# common.sh - the small data set and the four commands that sweep and kills try. Sourced with $build and $work set.
data=$work/data
say() { printf '%s\n' "$*"; }

prepare() {
  mkdir -p "$data/weights"
  "$build/sambench" synth --out "$data/split" --clips 2 --frames 4 --width 96 --height 64 --quiet
  cp "$top/models/demo_sam2.1.safetensors" "$data/weights/"
  "$build/samconvert" random --model sam2.1_demo --format meta "$data/official.safetensors"
  "$build/sambench" run --split_dir "$data/split" --weights_dir "$data/weights" --models demo_points,baseline_copy \
    --out_dir "$data/shards/shard_0_of_2" --shard 0/2 > /dev/null 2>&1 || true
}

# command NAME OUT: the arguments, one a line.
arguments() {
  case $1 in
  convert) printf '%s\n' "$build/samconvert" convert "$data/official.safetensors" "$2/out.safetensors" ;;
  run) printf '%s\n' "$build/sambench" run --split_dir "$data/split" --weights_dir "$data/weights" --models demo_points,baseline_copy \
         --out_dir "$2" --threads 1 --resume ;;
  edge) printf '%s\n' "$build/sambench" edge --split_dir "$data/split" --weights_dir "$data/weights" --models demo_points --out_dir "$2" \
         --preprocessed_dir "$2/prepared" --threads 1 --resume ;;
  merge) printf '%s\n' "$build/sambench" merge "$data/reference/run" --out "$2" ;;
  esac
}

# What must be the same however often the command was disturbed: which rows, their status and scores; of weights all bytes.
essence() {
  case $1 in
  convert) sha256sum < "$2/out.safetensors" ;;
  *) awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^(video|object|model|status|frames|J|F|JandF)$/) keep[++n] = i }
       { line = ""; for (k = 1; k <= n; k++) line = line $keep[k] ","; print line }' \
       "$2"/sav_benchmark_summary.csv "$2"/jetson_benchmark_summary.csv 2> /dev/null | sort ;;
  esac
}

references() {
  for name in convert run edge merge; do
    out=$data/reference/$name; mkdir -p "$out"
    readarray -t line < <(arguments "$name" "$out")
    "${line[@]}" > "$out.log" 2>&1 || { say "$name fails undisturbed:"; cat "$out.log"; exit 1; }
    essence "$name" "$out" > "$data/$name.essence"
    [ -s "$data/$name.essence" ] || { say "$name wrote nothing"; exit 1; }
  done
}
