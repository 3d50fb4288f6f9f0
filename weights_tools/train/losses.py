"""What the model is punished for: focal, dice, IoU and object-score losses as in section D.2.2 of the SAM 2 paper.

Of several masks only the best one of a prompt is trained; masks of absent objects are not."""
import torch
import torch.nn.functional as F

WEIGHT_MASK, WEIGHT_DICE, WEIGHT_IOU, WEIGHT_PRESENT = 1.0, 1.0, 0.5, 0.5


def _mask_losses(logits, truth, even):
    """Per mask [N, M]: cross-entropy and dice. truth: [N, 1, h, w].

    `even`: object and background weigh the same, which finds objects soon but draws them a little too large; otherwise
    every pixel does."""
    truth, logits = truth.flatten(2), logits.flatten(2)
    p = logits.sigmoid()
    ce = F.binary_cross_entropy_with_logits(logits, truth.expand_as(logits), reduction="none")
    size = truth.sum(-1)
    if even:
        rest = (1 - truth).sum(-1) + 1
        ce = 0.5 * ((ce * truth).sum(-1) / (size + 1) + (ce * (1 - truth)).sum(-1) / rest)
    else:
        ce = ce.sum(-1) / (size + 0.05 * truth.shape[-1])
    dice = 1 - (2 * (p * truth).sum(-1) + 1) / (p.sum(-1) + size + 1)
    return ce, dice


def decoder_loss(output, target, even):
    """output: (mask logits [N, M, h, w], predicted IoU [N, M], object score [N, 1]); target: [N, S, S] bool;
    `even`: see _mask_losses.

    Returns the loss (a mean over objects) and the IoU of the mask the model would choose [N], nan for absent objects.
    Masks are compared at S/2, twice the resolution of the logits."""
    logits, iou, score = output
    logits = F.interpolate(logits.float(), scale_factor=2, mode="bilinear", align_corners=False)
    truth = F.avg_pool2d(target[:, None].float(), 2)
    present = target.flatten(1).any(1)
    there = present.float()[:, None]

    cross_entropy, dice = _mask_losses(logits, truth, even)
    with torch.no_grad():
        found, real = logits > 0, truth >= 0.5
        overlap = (found & real).flatten(2).sum(-1).float()
        actual = overlap / (found | real).flatten(2).sum(-1).clamp(min=1)
    each = WEIGHT_MASK * cross_entropy + WEIGHT_DICE * dice
    best = each.argmin(1, keepdim=True)
    mask_loss = (each.gather(1, best) * there).sum() / there.sum().clamp(min=1)
    iou_loss = ((iou.float() - actual).abs().mean(1, keepdim=True) * there).sum() / there.sum().clamp(min=1)
    present_loss = F.binary_cross_entropy_with_logits(score.float(), there)
    chosen = actual.gather(1, iou.argmax(1, keepdim=True))[:, 0]
    chosen = torch.where(score[:, 0] > 0, chosen, torch.zeros_like(chosen))
    chosen = torch.where(present, chosen, torch.full_like(chosen, float("nan")))
    return mask_loss + WEIGHT_IOU * iou_loss + WEIGHT_PRESENT * present_loss, chosen.detach()


def feature_loss(features, target):
    """How well fine features tell each object from the rest of its image, whatever the decoder does with them.

    features: [N, C, h, w], one row an object; target: [N, S, S]. A pixel belongs to the object if its feature is nearer
    to the object's mean than to the mean of the rest. It teaches the encoder from the first step on, when the decoder
    does not yet follow its prompts."""
    truth = F.avg_pool2d(target[:, None].float(), target.shape[-1] // features.shape[-1]).flatten(2)
    e = features.float().flatten(2)
    mean = (e * truth).sum(-1, keepdim=True) / (truth.sum(-1, keepdim=True) + 1e-3)
    rest = (e * (1 - truth)).sum(-1, keepdim=True) / ((1 - truth).sum(-1, keepdim=True) + 1e-3)
    logits = (e - rest).square().sum(1, keepdim=True) - (e - mean).square().sum(1, keepdim=True)
    ce, dice = _mask_losses(logits[..., None], truth[..., None], even=True)
    there = target.flatten(1).any(1).float()
    return ((ce + dice)[:, 0] * there).sum() / there.sum().clamp(min=1)
