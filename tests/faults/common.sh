# common.sh - the small data set and the four commands that sweep and kills try. Sourced with $build and $work set.
data=$work/data
models="--models demo_points,baseline_copy --imgsz 64 --threads 1 --metric seed"
say() { printf '%s\n' "$*"; }

prepare() {
  mkdir -p "$data/weights"
  "$build/sambench" synth --out "$data/split" --clips 1 --frames 6 --width 96 --height 64 --quiet
  cp "$top/models/demo_sam2.1.safetensors" "$data/weights/"
  "$build/samconvert" random --model sam2.1_demo --format meta "$data/official.safetensors"
}

# command NAME OUT: the arguments, one a line.
arguments() {
  case $1 in
  convert) printf '%s\n' "$build/samconvert" convert "$data/official.safetensors" "$2/out.safetensors" ;;
  run) printf '%s\n' "$build/sambench" run --split_dir "$data/split" --weights_dir "$data/weights" $models --out_dir "$2" --resume ;;
  edge) printf '%s\n' "$build/sambench" edge --split_dir "$data/split" --weights_dir "$data/weights" --models demo_points --imgsz 64 --threads 1 --metric seed \
         --out_dir "$2" --preprocessed_dir "$2/prepared" --resume ;;
  merge) printf '%s\n' "$build/sambench" merge "$data/reference/run" --out "$2" ;;
  esac
}

# What must be the same however often the command was disturbed: which rows, their status and scores; of weights all bytes.
essence() {
  case $1 in
  convert) sha256sum < "$2/out.safetensors" ;;
  *) cat "$2"/*_benchmark_summary.csv 2> /dev/null | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^(video|object|model|status|frames|J|F|JandF)$/) keep[++n] = i }
       { line = ""; for (k = 1; k <= n; k++) line = line $keep[k] ","; print line }' | sort ;;
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
