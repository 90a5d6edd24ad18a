"""The numbers of PyTorch that tests of layers carry: python3 pytorch_numbers.py prints them. See check_pytorch in layer_gradients.hpp.

Parameters, x and dy are waves; what a case prints are projections of y, dx and each parameter's gradient on another wave.
"""
import math
import torch

torch.set_default_dtype(torch.float64)


def wave(shape, which):
    n = math.prod(shape)
    return torch.tensor([math.sin(1.3 * i + which) for i in range(n)]).float().double().reshape(shape)


def project(t):
    return sum(v * math.cos(0.7 * i) for i, v in enumerate(t.flatten().tolist()))


def case(name, layer, x, f=None, order=None):
    """x: a tensor, or the shape of a wave; its gradient is printed where it is a wave."""
    parameters = list(layer.parameters())
    for i, p in enumerate(parameters):
        p.data = wave(p.shape, i + 3)
    moved = not torch.is_tensor(x)
    x = wave(x, 1).requires_grad_() if moved else x
    y = (f or layer)(x)
    y = y[0] if isinstance(y, tuple) else y
    y.backward(wave(y.shape, 2))
    numbers = [y] + ([x.grad] if moved else []) + [p.grad for p in parameters]
    print(f"{name}: {{{', '.join(f'{project(t):.9g}' for t in numbers)}}}")


nn = torch.nn
case("transposed, groups", nn.ConvTranspose2d(6, 4, (3, 2), (2, 3), (1, 0), (1, 2), 2), (2, 6, 3, 4))
case("transposed, dilation, depthwise", nn.ConvTranspose2d(5, 10, 3, 1, 2, 1, 5, False, 2), (2, 5, 3, 4))
# A bag of 3, one of 1, one of none: filled up to 4 with row 2 of 7.
bags = torch.tensor([[0, 6, 2, 5], [4, 2, 2, 2], [2, 2, 2, 2]])
case("embedding, padding", nn.Embedding(7, 5, padding_idx=2), bags)
for mode in "sum", "mean", "max":
    case(f"bag, {mode}", nn.EmbeddingBag(7, 5, mode=mode, padding_idx=2), bags)
weights = wave((3, 4), 1).requires_grad_()
weighted = nn.EmbeddingBag(7, 5, mode="sum", padding_idx=2)
case("bag, weighted", weighted, bags, lambda x: weighted(x, per_sample_weights=weights))
print("per_sample_weights:", project(weights.grad))
ragged = nn.EmbeddingBag(7, 5, padding_idx=2)
case("bag, offsets", ragged, torch.tensor([0, 6, 5, 4]), lambda x: ragged(x, torch.tensor([0, 3, 4])))
case("lstm without bias", nn.LSTM(5, 3, 2, False, True, bidirectional=True), (2, 4, 5))
case("gru without bias", nn.GRU(5, 3, 1, False, True), (2, 4, 5))
image = (2, 3, 5, 7)
case("max pool, ceil", nn.MaxPool2d(4, (4, 3), 1, ceil_mode=True), image)
case("average pool, ceil", nn.AvgPool2d(4, (4, 3), 1, True), image)
case("average pool, ceil without border", nn.AvgPool2d(4, (4, 3), 1, True, False), image)
case("average pool without border", nn.AvgPool2d(3, 2, 1, False, False), image)
