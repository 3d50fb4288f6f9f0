"""The official models with hash weights: facebookresearch/sam2, EdgeTAM and segment-anything, run by PyTorch.

Both repositories name their package `sam2`, so a process can hold one of them: `use` picks it by the model's name.
EdgeTAM's model is driven by sam2's video predictor (objects independent of each other, as in our engine); with one
object the two predictors agree, except that EdgeTAM's own keeps a correction when a frame is tracked again.

SAM v1 (sam_vit_*) is the package segment_anything. It knows 1024 px only; `fit` makes it another size as
heyoeyo/muggled_sam does: the absolute position table is resized (bilinear, antialiased), the relative ones the package
resizes itself.
"""
import importlib.util
import os
import sys

import numpy as np
import torch
from PIL import Image

import hash_weights as hw

CONFIGS = {
    f"sam{v}_{size}": f"configs/sam{v}/sam{v}_hiera_{letter}.yaml"
    for v in ("2", "2.1")
    for size, letter in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
}
CONFIGS["edgetam"] = "configs/edgetam.yaml"
VITS = {f"sam_vit_{size}": f"vit_{size}" for size in "blh"}  # names of the package's registry
MODELS = [*CONFIGS, *VITS]

DYNAMIC_SELECTION = [
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_via_stability=true",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_delta=0.05",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_thresh=0.98",
]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def add_arguments(parser):
    """--sam2 and --edgetam, the checkouts that `use` needs."""
    parser.add_argument("--sam2", default=os.environ.get("SAM2_DIR"), metavar="DIR",
                        help="checkout of github.com/facebookresearch/sam2 (default: $SAM2_DIR)")
    parser.add_argument("--edgetam", default=os.environ.get("EDGETAM_DIR"), metavar="DIR",
                        help="checkout of github.com/facebookresearch/EdgeTAM (default: $EDGETAM_DIR)")
    parser.add_argument("--segment_anything", default=os.environ.get("SEGMENT_ANYTHING_DIR"), metavar="DIR",
                        help="checkout of github.com/facebookresearch/segment-anything (default: the installed package)")


def use(model, sam2_dir, edgetam_dir, segment_anything_dir=None):
    """Puts the checkout that has `model` on the import path; returns sam2's video predictor class file."""
    if model not in MODELS:
        sys.exit(f"unknown model {model}; known: {', '.join(MODELS)}")
    if model in VITS:
        if segment_anything_dir:
            sys.path.insert(0, os.path.abspath(segment_anything_dir))
        return None
    option, folder = ("--edgetam", edgetam_dir) if model == "edgetam" else ("--sam2", sam2_dir)
    for o, d in ((option, folder), ("--sam2", sam2_dir)):
        if not d or not os.path.isfile(os.path.join(d, "sam2", "build_sam.py")):
            sys.exit(f"{model} needs {o} DIR, a checkout that contains sam2/build_sam.py (given: {d})")
    sys.path.insert(0, os.path.abspath(folder))
    if model == "edgetam":  # the official wrapper downloads pretrained weights that the checkpoint then replaces
        import timm.models

        create = timm.models.create_model
        timm.models.create_model = lambda name, pretrained=False, **k: create(name, pretrained=False, **k)
    return os.path.join(sam2_dir, "sam2", "sam2_video_predictor.py")


def _size_overrides(model, image_size):
    overrides = [f"++model.image_size={image_size}"]
    if model == "edgetam":
        n = image_size // 16
        overrides.append(f"++model.memory_attention.layer.cross_attention.q_sizes=[{n},{n}]")
    return overrides


def build(model, image_size, predictor_file=None, target=None, extra=()):
    """The official model, its own random weights still in it. `target` overrides the class to instantiate.
    SAM v1 comes at 1024 px, whatever the size: see `fit`."""
    if model in VITS:
        from segment_anything import sam_model_registry

        return sam_model_registry[VITS[model]]()
    import sam2  # noqa: F401  (registers its configurations)
    from hydra import compose
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    if target is None:
        target = _predictor_target(model, predictor_file)
    overrides = [f"++model._target_={target}", *DYNAMIC_SELECTION,
                 "++model.binarize_mask_from_pts_for_mem_enc=true",
                 *_size_overrides(model, image_size), *extra]
    if not target.endswith("SAM2Base"):
        overrides.append("++model.fill_hole_area=8")
    config = compose(config_name=CONFIGS[model], overrides=overrides)
    OmegaConf.resolve(config)
    return instantiate(config.model, _recursive_=True).eval()


def _predictor_target(model, predictor_file):
    """sam2's video predictor on top of whichever package is imported."""
    if model != "edgetam":
        return "sam2.sam2_video_predictor.SAM2VideoPredictor"
    name = "independent_object_predictor"
    spec = importlib.util.spec_from_file_location(name, predictor_file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)

    def keep_positions(self, inference_state, current_out):  # the perceiver's positions are [B, tokens, C]
        return current_out["maskmem_pos_enc"]

    module.SAM2VideoPredictor._get_maskmem_pos_enc = keep_positions
    return f"{name}.SAM2VideoPredictor"


def shapes_of(net):
    return {name: tuple(t.shape) for name, t in net.state_dict().items()}


def load_hash_weights(net, model, seed, variant, check=False):
    """Fills the model; returns the SHA-256 over its tensors, or None if it is not wanted (it takes seconds)."""
    arrays = hw.state_dict(shapes_of(net), seed, model, variant)
    net.load_state_dict({n: torch.from_numpy(a) for n, a in arrays.items()})
    return hw.digest(arrays) if check else None


def fit(net, model, image_size):
    """Makes a SAM v1, with its weights in place, one of another image size. Other models are built for theirs."""
    if model not in VITS or image_size == net.image_encoder.img_size:
        return
    encoder, prompts, side = net.image_encoder, net.prompt_encoder, image_size // 16
    table = encoder.pos_embed.data.permute(0, 3, 1, 2)
    table = torch.nn.functional.interpolate(table, size=(side, side), mode="bilinear", antialias=True)
    encoder.pos_embed = torch.nn.Parameter(table.permute(0, 2, 3, 1))
    encoder.img_size = image_size
    prompts.image_embedding_size, prompts.input_image_size = (side, side), (image_size, image_size)
    prompts.mask_input_size = (4 * side, 4 * side)


def load_frames(folder, count=None):
    """[H,W,3] uint8 arrays of a folder of images, in the order of their numbers or names."""
    names = sorted(n for n in os.listdir(folder) if n.lower().endswith((".jpg", ".jpeg", ".png", ".ppm")))
    if not names:
        sys.exit(f"{folder}: no .jpg, .png or .ppm frames")
    return [np.array(Image.open(os.path.join(folder, n)).convert("RGB")) for n in names[:count]]


def network_input(frames, image_size):
    """Frames -> float32 [T,3,S,S], exactly as sam2/utils/misc.py does for a folder (PIL bicubic on bytes)."""
    out = torch.empty(len(frames), 3, image_size, image_size)
    for t, frame in enumerate(frames):
        small = np.array(Image.fromarray(frame).resize((image_size, image_size)))
        out[t] = torch.from_numpy(small / 255.0).permute(2, 0, 1)
    out -= torch.tensor(MEAN)[:, None, None]
    out /= torch.tensor(STD)[:, None, None]
    return out


def init_state(net, frames, device="cpu"):
    """The predictor's state for frames in memory instead of a folder."""
    predictor_module = sys.modules[type(net).__module__]
    height, width = frames[0].shape[:2]
    images = network_input(frames, net.image_size).to(device)
    original = predictor_module.load_video_frames
    predictor_module.load_video_frames = lambda **_: (images, height, width)
    try:
        return net.init_state(video_path="frames in memory")
    finally:
        predictor_module.load_video_frames = original


def image_predictor(net):
    if hasattr(net, "prompt_encoder"):  # SAM v1
        from segment_anything import SamPredictor

        return SamPredictor(net)
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    predictor = SAM2ImagePredictor(net)
    predictor._bb_feat_sizes = [(net.image_size // s,) * 2 for s in (4, 8, 16)]  # hard coded for 1024
    return predictor


def image_tensors(predictor, frame):
    """(network input [3,S,S], {name: features [1,C,H,W]}) of an image that was set."""
    if hasattr(predictor, "_features"):
        f = predictor._features
        return predictor._transforms(frame), {"image_embed": f["image_embed"], **{
            f"high_res_{i}": x for i, x in enumerate(f["high_res_feats"])}}
    resized = torch.as_tensor(predictor.transform.apply_image(frame), device=predictor.device).permute(2, 0, 1)
    return predictor.model.preprocess(resized[None].float())[0], {"image_embed": predictor.features}


def quiet():
    """Without progress bars and warnings (that the CUDA extension for hole filling is absent, on every frame)."""
    import warnings

    os.environ["TQDM_DISABLE"] = "1"
    warnings.filterwarnings("ignore")
